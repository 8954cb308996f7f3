"""`preempt:MS`: real-time processes take every CPU away for MS at a time, with rests as long in the mean."""

import os
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from flakehunter.errors import UsageError
from flakehunter.repro.rooms import here
from flakehunter.repro.stressors.base import (
    Capability,
    parse_milliseconds,
    show_milliseconds,
)
from flakehunter.repro.trial import Load, TrialSpec

MOST_MS = 1000.0
"""The kernel keeps 5 % of each second for others anyway (sched_rt_runtime_us), but nothing else should have to wait."""


@dataclass(frozen=True, slots=True)
class Preempt:
    """Runs one SCHED_FIFO process for each CPU (sched(7))."""

    usage: ClassVar[str] = "preempt:MS"
    summary: ClassVar[str] = "SCHED_FIFO processes take all CPUs for MS again and again"
    needs: ClassVar[str] = "root, or CAP_SYS_NICE"
    side_effects: ClassVar[str] = "the whole machine stutters while a trial runs"
    burst_ms: float = 40.0

    @classmethod
    def parse(cls, argument: str) -> Self:
        """Take the length of a burst; without it, 40 ms."""
        burst_ms = parse_milliseconds(argument, cls.usage) if argument else 40.0
        if not 1.0 <= burst_ms <= MOST_MS:
            raise UsageError(f"preempt:{argument}: not from 1ms to {MOST_MS:g}ms", hint="write preempt:40ms")
        return cls(burst_ms)

    @property
    def spec(self) -> str:
        """Return `preempt:MSms`."""
        return f"preempt:{show_milliseconds(self.burst_ms)}"

    @classmethod
    def probe(cls) -> Capability:
        """Ask the room of this system."""
        return here.can("preempt")

    def apply(self, trial: TrialSpec) -> TrialSpec:
        """Add one process for each CPU."""
        return replace(trial, loads=(*trial.loads, Load("preempt", os.cpu_count() or 1, self.burst_ms)))
