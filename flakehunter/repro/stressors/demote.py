"""`demote`: processes below the command's children get the least of the CPU once they have settled.

SCHED_IDLE, and autogroup nice 19 for sessions other than the test's (sched(7)). Only who has no child of its own is
demoted, so that leaders of groups stay quick and what they started is late. Without load it changes little: join it
with `cpu:N`.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

from flakehunter.repro.stressors.base import PlainStressor
from flakehunter.repro.trial import TrialSpec


@dataclass(frozen=True)
class Demote(PlainStressor):
    """Demotes grandchildren after 40 ms of life."""

    usage: ClassVar[str] = "demote"
    summary: ClassVar[str] = "grandchildren get SCHED_IDLE and autogroup nice 19 once settled; write demote+cpu:8"

    def apply(self, trial: TrialSpec) -> TrialSpec:
        """Have the supervisor demote."""
        return replace(trial, demote=True)
