"""`cpu:N`: N busy processes beside the test, on Linux each in a session of its own (linux/loads.py says why).

They run only while it matters: while the test runs, where the trial can tell (a warm pytest), or else while the victims
of signals live, as a rehearsal has told (attendant.py); the whole trial, where neither is known.
"""

import os
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from flakehunter.errors import UsageError
from flakehunter.repro.rooms import here
from flakehunter.repro.stressors.base import Capability
from flakehunter.repro.trial import Load, TrialSpec

MOST_HOGS = 512


@dataclass(frozen=True, slots=True)
class CpuStress:
    """Makes the trial share the CPUs with `hogs` busy processes."""

    usage: ClassVar[str] = "cpu:N"
    summary: ClassVar[str] = "N busy processes beside the test"
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
        """Ask the room of this system."""
        return here.can("cpu")

    def apply(self, trial: TrialSpec) -> TrialSpec:
        """Add the hogs."""
        return replace(trial, loads=(*trial.loads, Load("cpu", self.hogs)))
