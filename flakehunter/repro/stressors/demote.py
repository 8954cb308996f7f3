"""`demote`: processes below the command's children get the least of the CPU once they have settled.

SCHED_IDLE, and autogroup nice 19 for sessions other than the test's (sched(7)). Only who has no child of its own is
demoted, so that leaders of groups stay quick and what they started is late. Without load it changes little: join it
with `cpu:N`.
"""

import os
from dataclasses import dataclass, replace
from typing import ClassVar

from flakehunter.repro.stressors.base import Capability, PlainStressor, try_in_child
from flakehunter.repro.trial import TrialSpec


@dataclass(frozen=True)
class Demote(PlainStressor):
    """Demotes grandchildren after 40 ms of life."""

    usage: ClassVar[str] = "demote"
    summary: ClassVar[str] = "grandchildren get SCHED_IDLE and autogroup nice 19 once settled; write demote+cpu:8"

    @classmethod
    def probe(cls) -> Capability:
        """Demote a child for a moment."""
        if not hasattr(os, "SCHED_IDLE"):
            return Capability(usable=False, reason="this system has no SCHED_IDLE")
        return try_in_child(lambda: os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0)), "SCHED_IDLE")

    def apply(self, trial: TrialSpec) -> TrialSpec:
        """Have the supervisor demote."""
        return replace(trial, demote=True)
