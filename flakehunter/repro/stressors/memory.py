"""`memory:PCT`: a process holds PCT percent of the available memory and writes to all of it again and again."""

from dataclasses import dataclass, replace
from typing import ClassVar, Self

from flakehunter.repro.rooms import here
from flakehunter.repro.stressors.base import Capability, parse_percent
from flakehunter.repro.trial import Load, TrialSpec

MOST_PERCENT = 95.0


@dataclass(frozen=True, slots=True)
class MemoryStress:
    """Leaves the trial little memory that is not in use."""

    usage: ClassVar[str] = "memory:PCT"
    summary: ClassVar[str] = "a process holds PCT percent of the available memory and keeps writing to it"
    needs: ClassVar[str] = ""
    side_effects: ClassVar[str] = "other programs may be swapped out; the OOM killer takes the holder first"
    percent: float = 80.0

    @classmethod
    def parse(cls, argument: str) -> Self:
        """Take percent of what is available; without it, 80."""
        return cls(parse_percent(argument or "80", cls.usage, most=MOST_PERCENT))

    @property
    def spec(self) -> str:
        """Return `memory:PCT`."""
        return f"memory:{self.percent:g}"

    @classmethod
    def probe(cls) -> Capability:
        """Ask the room of this system."""
        return here.can("memory")

    def apply(self, trial: TrialSpec) -> TrialSpec:
        """Add the holder."""
        return replace(trial, loads=(*trial.loads, Load("memory", 1, self.percent)))
