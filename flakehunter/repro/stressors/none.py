"""`none`: the bare trial, to compare with."""

from dataclasses import dataclass
from typing import ClassVar

from flakehunter.repro.stressors.base import PlainStressor
from flakehunter.repro.trial import TrialSpec


@dataclass(frozen=True)
class NoStress(PlainStressor):
    """Leaves the trial as it is."""

    usage: ClassVar[str] = "none"
    summary: ClassVar[str] = "the bare trial, to compare with"

    def apply(self, trial: TrialSpec) -> TrialSpec:
        """Change nothing."""
        return trial
