"""What a stressor is: a team's own one is a class of this shape, registered under `flakehunter.stressors`."""

from dataclasses import dataclass
from typing import ClassVar, Protocol, Self, runtime_checkable

from flakehunter.errors import UsageError
from flakehunter.repro.trial import TrialSpec


@dataclass(frozen=True, slots=True)
class Capability:
    """Whether a stressor works on this machine, and why not."""

    usable: bool
    reason: str = ""
    hint: str = ""
    """How to make it work."""


@runtime_checkable
class Stressor(Protocol):
    """Something that makes a rare order of events likely while a trial runs."""

    usage: ClassVar[str]
    """How it is written, such as `cpu:N`."""
    summary: ClassVar[str]
    """What it does, in one line."""
    needs: ClassVar[str]
    """Privilege or tool it needs; empty for none."""
    side_effects: ClassVar[str]
    """What it does to the machine beside the trial; empty for nothing. All of it ends with the trial."""

    @classmethod
    def parse(cls, argument: str) -> Self:
        """Build it from what stands after the colon (empty for nothing); UsageError for anything else."""
        ...

    @property
    def spec(self) -> str:
        """How this one is written, in full."""
        ...

    @classmethod
    def probe(cls) -> Capability:
        """Find out, by really trying, whether it works here."""
        ...

    def apply(self, trial: TrialSpec) -> TrialSpec:
        """Return what the supervisor has to do for a trial under this stressor."""
        ...


@dataclass(frozen=True)
class PlainStressor:
    """What stressors share that are written as one word."""

    usage: ClassVar[str]
    needs: ClassVar[str] = ""
    side_effects: ClassVar[str] = ""

    @classmethod
    def parse(cls, argument: str) -> Self:
        """Take no argument."""
        if argument:
            raise UsageError(f"{cls.usage} takes no argument, but got {argument!r}", hint=f"write {cls.usage}")
        return cls()

    @property
    def spec(self) -> str:
        """Return the word."""
        return self.usage

    @classmethod
    def probe(cls) -> Capability:
        """Ask the room of this system, which knows our stressors by the word they are written with."""
        from flakehunter.repro.rooms import here

        return here.can(cls.usage)


def parse_milliseconds(text: str, usage: str) -> float:
    """Return milliseconds from `200ms`, `0.2s` or a bare number, which means milliseconds.

    Raises:
        UsageError: it is none of these, or negative; `usage` is shown as what to write.
    """
    number, factor = text, 1.0
    for suffix, scale in (("ms", 1.0), ("s", 1000.0)):
        if text.endswith(suffix):
            number, factor = text.removesuffix(suffix), scale
            break
    try:
        value = float(number) * factor
    except ValueError:
        value = -1.0
    if not 0.0 <= value < float("inf"):
        raise UsageError(f"{text!r} is no time", hint=f"write {usage} with a time such as 200ms or 0.2s")
    return value


def show_milliseconds(value: float) -> str:
    """Return `value` as it is written in a specification, such as `200ms`."""
    return f"{value:g}ms"


def parse_percent(text: str, usage: str, *, most: float) -> float:
    """Return percent from `10` or `10%`.

    Raises:
        UsageError: it is no number above 0 and up to `most`; `usage` is shown as what to write.
    """
    try:
        value = float(text.removesuffix("%"))
    except ValueError:
        value = 0.0
    if not 0.0 < value <= most:
        raise UsageError(f"{text!r} is not a percentage up to {most:g}", hint=f"write {usage} such as {usage[:-3]}10")
    return value
