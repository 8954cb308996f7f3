"""`control`: the tracing supervisor without any delay, since being traced shifts the timing by itself."""

from dataclasses import dataclass, replace
from typing import ClassVar

from flakehunter.repro.stressors.base import PlainStressor
from flakehunter.repro.trial import TrialSpec


@dataclass(frozen=True)
class Control(PlainStressor):
    """Traces the trial and delays nothing."""

    usage: ClassVar[str] = "control"
    summary: ClassVar[str] = "the tracing supervisor without a delay, to compare delays with"
    needs: ClassVar[str] = "ptrace of own children"

    def apply(self, trial: TrialSpec) -> TrialSpec:
        """Have the supervisor trace."""
        return replace(trial, trace=True)
