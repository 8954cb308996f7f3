"""`cpu:N`: N busy processes beside the test, each in a session of its own.

Autogroup (sched(7)) shares the CPUs by session first. Hogs in the test's session slow the test, but not a victim that
has called setsid; hogs that share one session weigh as much as the test and no more. With a session each they outweigh
both (benchmarks/repro.md). Where the command tells when its test runs, the hogs rest outside of it.
"""

import os
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from flakehunter.errors import UsageError
from flakehunter.repro.stressors.base import Capability
from flakehunter.repro.trial import TrialSpec

MOST_HOGS = 512


@dataclass(frozen=True, slots=True)
class CpuStress:
    """Makes the trial share the CPUs with `hogs` busy processes."""

    usage: ClassVar[str] = "cpu:N"
    summary: ClassVar[str] = "N busy processes beside the test, each in a session of its own"
    needs: ClassVar[str] = ""
    side_effects: ClassVar[str] = "loads all CPUs while a trial runs"
    hogs: int = 0

    @classmethod
    def parse(cls, argument: str) -> Self:
        """Take the number of hogs; without one, four for each CPU."""
        if not argument:
            return cls(4 * (os.cpu_count() or 1))
        if not argument.isdecimal() or not 1 <= int(argument) <= MOST_HOGS:
            raise UsageError(f"cpu:{argument}: not a number of processes", hint=f"write cpu:N, N from 1 to {MOST_HOGS}")
        return cls(int(argument))

    @property
    def spec(self) -> str:
        """Return `cpu:N`."""
        return f"cpu:{self.hogs}"

    @classmethod
    def probe(cls) -> Capability:
        """Work everywhere."""
        return Capability(usable=True)

    def apply(self, trial: TrialSpec) -> TrialSpec:
        """Add the hogs; they wait for the test where the trial can tell when it runs."""
        return replace(trial, hogs=trial.hogs + self.hogs, hogs_wait=trial.has_window)
