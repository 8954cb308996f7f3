"""How often a look would have come too early, from the time that processes need to die."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flakehunter.model import Interval, Mechanism
from flakehunter.stats.intervals import wilson
from flakehunter.trace.findings import Finding

if TYPE_CHECKING:  # the database is not needed to trace a command
    from flakehunter.db.queries.traces import Stressed

__all__ = ["MEASURED", "Comparison", "TimeToDeath", "compared", "predicted_rates"]

_Z90 = 1.2815515655446004
"""The 90th percentile of the standard normal distribution."""


@dataclass(frozen=True, slots=True)
class TimeToDeath:
    """A log-normal distribution of the time from a signal to a process's end, given by two of its percentiles."""

    name: str
    p50_ms: float
    p90_ms: float

    def longer_than(self, milliseconds: float) -> float:
        """Return the probability that a process takes longer than that."""
        if milliseconds <= 0:
            return 1.0
        sigma = math.log(self.p90_ms / self.p50_ms) / _Z90
        return 0.5 * math.erfc((math.log(milliseconds) - math.log(self.p50_ms)) / (sigma * math.sqrt(2)))


MEASURED = (
    TimeToDeath("plain", 2, 6),
    TimeToDeath("8 busy workers", 12, 24),
    TimeToDeath("32 busy workers", 76, 351),
    TimeToDeath("SCHED_IDLE", 79, 161),
)
"""Measured on two cores with processes that do nothing on the signal but die (docs/trace.md, "Slack, deadlines,
predicted rates")."""
_BY_TIME_TO_DEATH = frozenset(
    {
        Mechanism.CHECK_BEFORE_EXIT,
        Mechanism.FIXED_SLEEP,
        Mechanism.RESOURCE_STILL_HELD,
        Mechanism.ZOMBIE_COUNTED_ALIVE,
        Mechanism.DEADLINE_TOO_SHORT,
    }
)


@dataclass(frozen=True, slots=True)
class Comparison:
    """What the trace predicts under a load, from the times to death that `repro` measured, and what `repro` saw."""

    stressor: str
    predicted: float | None
    """Share of the measured times to death that are longer than the look allows; None without such times."""
    deaths: int
    observed: Interval
    failures: int
    trials: int


def compared(finding: Finding, stressed: "Sequence[Stressed]") -> Iterator[Comparison]:
    """Yield, for each load under which `repro` has tried the test, the predicted and the observed failure rate."""
    if not _is_decided_by_time(finding):
        return
    allowed = _allowed_ms(finding)
    command = finding.victim.command
    for one in stressed:
        times = [time for argv, time in one.deaths if argv and command.startswith(argv)]
        predicted = sum(time > allowed for time in times) / len(times) if times else None
        rate = wilson(one.failures, one.trials)
        yield Comparison(one.stressor, predicted, len(times), rate, one.failures, one.trials)


def _is_decided_by_time(finding: Finding) -> bool:
    return finding.mechanism in _BY_TIME_TO_DEATH and finding.signalled is not None and finding.looked is not None


def predicted_rates(finding: Finding) -> dict[str, float]:
    """Return the predicted failure rate by kind of load, in [0, 1]; empty where the time to death decides nothing.

    What the process needed in this run beyond the slow end of a trivial one is its own work (a handler), which load
    does not take away: it is added to every time to death.
    """
    if not _is_decided_by_time(finding) or finding.signalled is None:
        return {}
    allowed = _allowed_ms(finding)
    ended = finding.victim.exited
    own_work = 0.0
    if ended is not None:
        own_work = max(0.0, (ended - finding.signalled) * 1000 - MEASURED[0].p90_ms)
    return {kind.name: round(kind.longer_than(allowed - own_work), 4) for kind in MEASURED}


def _allowed_ms(finding: Finding) -> float:
    """Return how long after the signal the process may end without a failure."""
    assert finding.signalled is not None
    assert finding.looked is not None
    if finding.mechanism is Mechanism.DEADLINE_TOO_SHORT and finding.slack_s is not None and finding.victim.exited:
        return (finding.victim.exited + finding.slack_s - finding.signalled) * 1000
    return (finding.looked - finding.signalled) * 1000
