"""How often a look would have come too early, from the time that processes need to die."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from flakehunter.model import Mechanism
from flakehunter.trace.findings import Finding

__all__ = ["TimeToDeath", "predicted_rates"]

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
"""Measured on two cores with processes that do nothing on the signal but die (docs/trace.md, "Predicted rates")."""
_BY_TIME_TO_DEATH = frozenset(
    {
        Mechanism.CHECK_BEFORE_EXIT,
        Mechanism.FIXED_SLEEP,
        Mechanism.RESOURCE_STILL_HELD,
        Mechanism.ZOMBIE_COUNTED_ALIVE,
        Mechanism.DEADLINE_TOO_SHORT,
    }
)


def predicted_rates(finding: Finding, measured_ms: Sequence[float] = ()) -> dict[str, float]:
    """Return the predicted failure rate by kind of load, in [0, 1]; empty where the time to death decides nothing.

    `measured_ms` are times to death of this test's processes that `repro` measured; they give one more entry,
    `measured`. What the process needed in this run beyond the median of a trivial one is its own work (a handler),
    which load does not take away: it is added to every time to death.
    """
    if finding.mechanism not in _BY_TIME_TO_DEATH or finding.signalled is None or finding.looked is None:
        return {}
    allowed = _allowed_ms(finding)
    ended = finding.victim.exited
    own_work = 0.0
    if ended is not None:
        own_work = max(0.0, (ended - finding.signalled) * 1000 - MEASURED[0].p90_ms)
    rates = {kind.name: round(kind.longer_than(allowed - own_work), 4) for kind in MEASURED}
    if measured_ms:
        rates["measured"] = round(sum(time > allowed for time in measured_ms) / len(measured_ms), 4)
    return rates


def _allowed_ms(finding: Finding) -> float:
    """Return how long after the signal the process may end without a failure."""
    assert finding.signalled is not None
    assert finding.looked is not None
    if finding.mechanism is Mechanism.DEADLINE_TOO_SHORT and finding.slack_s is not None and finding.victim.exited:
        return (finding.victim.exited + finding.slack_s - finding.signalled) * 1000
    return (finding.looked - finding.signalled) * 1000
