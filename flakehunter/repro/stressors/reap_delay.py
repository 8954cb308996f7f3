"""`reap-delay:MS`: orphans stay zombies for that long, as under an init that is slow to reap."""

from dataclasses import dataclass, replace
from typing import ClassVar, Self

from flakehunter.errors import UsageError
from flakehunter.repro.rooms import here
from flakehunter.repro.stressors.base import Capability, parse_milliseconds, show_milliseconds
from flakehunter.repro.trial import TrialSpec


@dataclass(frozen=True, slots=True)
class ReapDelay:
    """Has the supervisor, to whom orphans come, reap them `delay_ms` after their end."""

    usage: ClassVar[str] = "reap-delay:MS"
    summary: ClassVar[str] = "orphans stay zombies for MS, as under a slow init"
    needs: ClassVar[str] = ""
    side_effects: ClassVar[str] = ""
    delay_ms: float = 0.0

    @classmethod
    def parse(cls, argument: str) -> Self:
        """Take `200ms`, `0.2s` or `200`."""
        if not argument:
            raise UsageError("reap-delay needs a time", hint="write reap-delay:200ms")
        return cls(parse_milliseconds(argument, cls.usage))

    @property
    def spec(self) -> str:
        """Return `reap-delay:MSms`."""
        return f"reap-delay:{show_milliseconds(self.delay_ms)}"

    @classmethod
    def probe(cls) -> Capability:
        """Ask the room of this system."""
        return here.can("reap-delay")

    def apply(self, trial: TrialSpec) -> TrialSpec:
        """Set the delay."""
        return replace(trial, reap_delay_ms=self.delay_ms)
