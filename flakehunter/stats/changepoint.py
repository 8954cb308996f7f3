"""When a failure rate changed: the posterior over all steps of one change from counts; pure functions."""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

BEFORE = (0.5, 20.0)
"""Beta prior of the rate before: mostly near 0, since a test usually worked before it flaked."""

AFTER = (0.5, 0.5)
"""Beta prior of the rate after: Jeffreys."""

PRIOR_CHANGE = 0.5
"""Probability that there was a change at all, spread evenly over the steps."""


@dataclass(frozen=True, slots=True)
class ChangePoint:
    """Where a rate began; steps are places in the arrays, the first step of the new rate."""

    step: int
    """Most probable step."""
    low: int
    high: int
    """The shortest range of neighbouring steps that holds the change with the wanted probability, given one."""
    probability: float
    """That there was a change after the first step at all."""


def onset(bad: Counts, executed: Counts, *, credible: float = 0.95) -> ChangePoint:
    """Return when the failures of one series began.

    With counts k of n before and after a change, the marginal likelihood of each part is a ratio of Beta functions
    (the binomial coefficients are the same for every change and cancel); without a change the whole series has the
    prior of the rate after. Source: the exact Bayesian change point for binomial data, Smith, Biometrika 62 (1975)
    407-416.

    Args:
        bad: (T,) failures at each step.
        executed: (T,) executions at each step.
        credible: probability that the range holds.

    Raises:
        ValueError: shapes differ or there is no step.
    """
    if bad.shape != executed.shape or bad.ndim != 1 or not len(bad):
        raise ValueError(f"shapes differ or are empty: {bad.shape}, {executed.shape}")
    good = executed - bad
    bad_before, good_before = np.cumsum(bad)[:-1], np.cumsum(good)[:-1]
    change = _log_marginal(bad_before, good_before, BEFORE) + _log_marginal(
        bad.sum() - bad_before, good.sum() - good_before, AFTER
    )
    steady = float(_log_marginal(np.array([bad.sum()]), np.array([good.sum()]), AFTER)[0])
    if not len(change):
        return ChangePoint(0, 0, 0, 0.0)
    top = max(float(change.max()), steady)
    weights = np.exp(change - top) / len(change)
    changed = PRIOR_CHANGE * float(weights.sum())
    probability = changed / (changed + (1.0 - PRIOR_CHANGE) * float(np.exp(steady - top)))
    total = float(weights.sum())
    posterior = weights / total if total > 0.0 else np.full(len(change), 1.0 / len(change))
    best = int(posterior.argmax())
    low, high = _shortest(posterior, best, credible)
    return ChangePoint(best + 1, low + 1, high + 1, probability)


def _shortest(posterior: Floats, best: int, credible: float) -> tuple[int, int]:
    """Return the range around `best` that grows to the more probable side until it holds `credible`."""
    left, right = posterior[:best][::-1], posterior[best + 1 :]
    # Which side is next is a merge of the two by their largest heads: one step comes before another if the least
    # probable on its way does. With equal ones the left is first.
    ways = np.concatenate([np.minimum.accumulate(left), np.minimum.accumulate(right)])
    order = np.argsort(-ways, kind="stable")
    held = np.cumsum(np.concatenate([posterior[best : best + 1], np.concatenate([left, right])[order]]))
    taken = order[: int(np.searchsorted(held, credible))]
    on_left = int((taken < best).sum())
    return best - on_left, best + len(taken) - on_left


def _log_marginal(bad: Counts, good: Counts, prior: tuple[float, float]) -> Floats:
    """Return the log of the ratio of Beta functions, from tables: counts are whole numbers."""
    a, b = prior
    size = 1 << int((bad + good).max(initial=0)).bit_length()
    of_a, of_b, of_both = (_log_gamma(start, size) for start in (a, b, a + b))
    result: Floats = of_a[bad] + of_b[good] - of_both[bad + good] - (of_a[0] + of_b[0] - of_both[0])
    return result


@lru_cache(maxsize=32)
def _log_gamma(start: float, size: int) -> Floats:
    """Return ln Γ(start + n) for n from 0 to `size`: Γ(x + 1) = x Γ(x)."""
    steps = np.log(start + np.arange(size))
    return np.concatenate([[0.0], np.cumsum(steps)]) + math.lgamma(start)
