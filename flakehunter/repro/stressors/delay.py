"""`delay:EVENT:MS[@WHO]`: one process is held at one kind of event; the strongest stressor, and the cheapest."""

from dataclasses import dataclass, replace
from typing import ClassVar, Self

from flakehunter.errors import UsageError
from flakehunter.repro.rooms import here
from flakehunter.repro.stressors.base import Capability, parse_milliseconds, show_milliseconds
from flakehunter.repro.trial import Delay, TrialSpec

EVENTS = ("start", "signal", "exit", "report")


@dataclass(frozen=True, slots=True)
class EventDelay:
    """Holds the process `who` at `event` for `ms`."""

    usage: ClassVar[str] = "delay:EVENT:MS[@WHO]"
    summary: ClassVar[str] = "holds process WHO (index, name, depth=N) at its start, signal, exit or report"
    needs: ClassVar[str] = "ptrace of own children"
    side_effects: ClassVar[str] = ""
    delay: Delay

    @classmethod
    def parse(cls, argument: str) -> Self:
        """Take `EVENT:MS`, or `EVENT:MS@WHO` with the process's index, depth or a pattern of its name."""
        event, colon, rest = argument.partition(":")
        if event not in EVENTS or not colon:
            raise UsageError(
                f"delay:{argument}: no event is called {event!r}",
                hint=f"write {cls.usage}, EVENT one of {', '.join(EVENTS)}",
            )
        time, at, who = rest.partition("@")
        if at and not who:
            raise UsageError(f"delay:{argument}: nobody stands after @", hint="write @2, @depth=2, or a name")
        if who.startswith("depth=") and not who.removeprefix("depth=").isdecimal():
            raise UsageError(f"delay:{argument}: {who} is no depth", hint="write @depth=2 for grandchildren")
        ms = parse_milliseconds(time, cls.usage)
        return cls(Delay(event, ms, (int(who) if who.isdecimal() else who) if at else None))

    @property
    def spec(self) -> str:
        """Return it in full."""
        who = "" if self.delay.who is None else f"@{self.delay.who}"
        return f"delay:{self.delay.event}:{show_milliseconds(self.delay.ms)}{who}"

    @classmethod
    def probe(cls) -> Capability:
        """Ask the room of this system."""
        return here.can("delay")

    def apply(self, trial: TrialSpec) -> TrialSpec:
        """Add the delay to the plan."""
        return replace(trial, trace=True, delays=(*trial.delays, self.delay))
