"""`no-reaper`: orphans stay zombies until the trial ends, as in a container whose PID 1 reaps nobody."""

from dataclasses import dataclass, replace
from typing import ClassVar

from flakehunter.repro.stressors.base import PlainStressor
from flakehunter.repro.trial import TrialSpec

FOREVER_MS = 86_400_000.0
"""A day: no trial is that long."""


@dataclass(frozen=True)
class NoReaper(PlainStressor):
    """Has the supervisor, to whom orphans come, reap none of them before the end."""

    usage: ClassVar[str] = "no-reaper"
    summary: ClassVar[str] = "orphans stay zombies, as in a container without an init"

    def apply(self, trial: TrialSpec) -> TrialSpec:
        """Put reaping off."""
        return replace(trial, reap_delay_ms=FOREVER_MS)
