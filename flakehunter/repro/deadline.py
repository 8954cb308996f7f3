"""A deadline to wait for the end of processes: a multiple of the tail of their time to death under load.

Why a multiple: CI machines are slower than the one that measures. Measured on 2 CPUs (docs/stressors.md), a sleep that
is signalled is gone after 24 ms in 90 % of trials beside 4 hogs a CPU, and after 351 ms beside 16 hogs a CPU: 15 times
as late. A deadline costs nothing while the test passes, so it is rounded up, and never below `LEAST_S`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from flakehunter.repro.search import HARMLESS
from flakehunter.repro.trial import TrialReport

DEADLINE_TRIALS = 6
MULTIPLE = 20
LEAST_S = 2.0
STEPS_S = (2, 3, 5, 10, 15, 20, 30, 60, 120, 300)


@dataclass(frozen=True, slots=True)
class Deadline:
    """The recommendation, and what it comes from: milliseconds from the first signal of a process to its end."""

    recommended_s: float
    deaths: int
    p50_ms: float
    p90_ms: float
    most_ms: float
    under: str

    @property
    def sentence(self) -> str:
        """Return it in words."""
        return (
            f"wait up to {self.recommended_s:g} s: at least {MULTIPLE} times the 90th percentile of the time to death, "
            f"{self.p90_ms:.0f} ms in {self.deaths} deaths under {self.under}"
        )


def time_to_death(report: TrialReport) -> list[float]:
    """Return the milliseconds from the first signal to the end of each process that was signalled and ended in time."""
    end_ms = report.duration_s * 1000
    found = []
    for process in report.processes:
        moments = [at for name, at, _ in process.signals if name not in HARMLESS]
        if process.index > 1 and moments and min(moments) < end_ms and process.ended_at_ms is not None:
            found.append(max(0.0, process.ended_at_ms - min(moments)))
    return found


def recommend(times_ms: Sequence[float], *, under: str) -> Deadline | None:
    """Return the deadline that `times_ms`, measured under the stress `under`, asks for; None without any."""
    if not times_ms:
        return None
    ordered = sorted(times_ms)

    def percentile(share: float) -> float:
        return ordered[max(0, math.ceil(share * len(ordered)) - 1)]

    wanted_s = max(LEAST_S, MULTIPLE * percentile(0.9) / 1000, ordered[-1] / 1000)
    recommended = next((step for step in STEPS_S if step >= wanted_s), math.ceil(wanted_s))
    return Deadline(float(recommended), len(ordered), percentile(0.5), percentile(0.9), ordered[-1], under)
