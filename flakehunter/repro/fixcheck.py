"""How late the event of the winning plan may be with a fix: the critical delay after it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from flakehunter.repro.search import LADDER_MS, bisect
from flakehunter.repro.trial import ProcessRecord

TRIALS = 3
FAILURES = 2
"""So many failures among `TRIALS` trials: by itself, a fix that fails in 5 % of runs does that once in 140."""


@dataclass(frozen=True, slots=True)
class FixCheck:
    """What came out, in milliseconds of delay."""

    before_ms: float
    """The critical delay before the fix."""
    required_ms: float
    survived_ms: float
    """The longest delay under which it held."""
    critical_ms: float | None
    """The smallest delay under which it failed; None when it held to the end of the ladder."""

    @property
    def holds(self) -> bool:
        """Whether it stands what it has to."""
        return self.survived_ms >= self.required_ms

    @property
    def sentence(self) -> str:
        """Return it in words."""
        if self.critical_ms is not None:
            return f"the critical delay moved from {self.before_ms:.0f} ms to {self.critical_ms:.0f} ms"
        beyond = " (the end of the ladder)" if self.survived_ms >= LADDER_MS[-1] else ""
        return f"the critical delay moved from {self.before_ms:.0f} ms to beyond {self.survived_ms:.0f} ms{beyond}"


def check_fix(
    fails_at: Callable[[float, int, int], bool | None],
    *,
    before_ms: float,
    required_ms: float,
    top_ms: float = LADDER_MS[-1],
) -> FixCheck | None:
    """Return how late the event may be with the fix.

    Args:
        fails_at: runs up to so many trials (second) with so many milliseconds of delay (first), and says whether so
            many (third) of them failed; None when no time is left.
        before_ms: the critical delay before the fix.
        required_ms: the delay under which the fix has to hold.
        top_ms: where to look no further.
    """

    def fails(delay_ms: float) -> bool | None:
        return fails_at(delay_ms, TRIALS, FAILURES)

    survived = 0.0
    for rung in sorted({required_ms, max(required_ms, top_ms)}):
        failed = fails(rung)
        if failed is None:
            return None if survived == 0.0 else FixCheck(before_ms, required_ms, survived, None)
        if failed:
            low = max(survived, min(before_ms, rung / 2))
            critical = bisect(fails, low, rung)
            return FixCheck(before_ms, required_ms, survived, critical)
        survived = rung
    return FixCheck(before_ms, required_ms, survived, None)


def counterpart(process: ProcessRecord, processes: Sequence[ProcessRecord]) -> ProcessRecord | None:
    """Return the process of the fixed test that is what `process` is in the flawed one; None when none is like it."""
    alike = [other for other in processes if other.index > 1 and other.argv == process.argv]
    alike += [other for other in processes if other.index == process.index and other.depth == process.depth]
    return min(alike, key=lambda other: abs(other.index - process.index), default=None) if alike else None
