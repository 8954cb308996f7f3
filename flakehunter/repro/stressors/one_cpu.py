"""`one-cpu`: the trial and all that runs beside it share one CPU, by their affinity."""

from dataclasses import dataclass, replace
from typing import ClassVar

from flakehunter.repro.stressors.base import PlainStressor
from flakehunter.repro.trial import TrialSpec


@dataclass(frozen=True)
class OneCpu(PlainStressor):
    """Binds the trial to the first CPU that flakehunter itself may use."""

    usage: ClassVar[str] = "one-cpu"
    summary: ClassVar[str] = "the trial, and all loads beside it, on one CPU"

    def apply(self, trial: TrialSpec) -> TrialSpec:
        """Bind it."""
        return replace(trial, one_cpu=True)
