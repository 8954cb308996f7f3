"""`none`: the bare trial, to compare with."""

from dataclasses import dataclass
from typing import ClassVar, Self

from flakehunter.repro.stressors.base import Capability, no_argument
from flakehunter.repro.trial import TrialSpec


@dataclass(frozen=True, slots=True)
class NoStress:
    """Leaves the trial as it is."""

    usage: ClassVar[str] = "none"
    summary: ClassVar[str] = "the bare trial, to compare with"
    needs: ClassVar[str] = ""
    side_effects: ClassVar[str] = ""
    spec: ClassVar[str] = "none"

    @classmethod
    def parse(cls, argument: str) -> Self:
        """Take no argument."""
        no_argument(cls.usage, argument)
        return cls()

    @classmethod
    def probe(cls) -> Capability:
        """Work everywhere."""
        return Capability(usable=True)

    def apply(self, trial: TrialSpec) -> TrialSpec:
        """Change nothing."""
        return trial
