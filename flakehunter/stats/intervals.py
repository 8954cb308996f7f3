"""Intervals for a failure rate from counts: exact (Clopper-Pearson), Wilson and Jeffreys; pure functions."""

import math
from functools import lru_cache
from statistics import NormalDist

from flakehunter.model import Interval


def clopper_pearson(failures: int, trials: int, *, confidence: float = 0.95) -> Interval:
    """Return the exact two-sided interval: it covers the true rate with at least `confidence`, whatever the rate.

    `high` of 0 failures in n trials is 1 - (alpha/2)^(1/n), so 72 trials are needed for 5 % at 95 %.
    Without trials it is [0, 1] around 0. Source: Clopper and Pearson, Biometrika 26 (1934) 404-413.

    Raises:
        ValueError: the counts are impossible, or `confidence` is not inside (0, 1).
    """
    _check(failures, trials, confidence)
    if trials == 0:
        return Interval(0.0, 0.0, 1.0)
    tail = (1.0 - confidence) / 2.0
    low = 0.0 if failures == 0 else beta_quantile(tail, failures, trials - failures + 1)
    high = 1.0 if failures == trials else beta_quantile(1.0 - tail, failures + 1, trials - failures)
    return Interval(failures / trials, low, high)


def wilson(failures: int, trials: int, *, confidence: float = 0.95) -> Interval:
    """Return the Wilson score interval: quick, near its nominal coverage on average, for rates of many tests.

    Without trials it is [0, 1] around 0. Source: Wilson, J. Am. Stat. Assoc. 22 (1927) 209-212.

    Raises:
        ValueError: the counts are impossible, or `confidence` is not inside (0, 1).
    """
    _check(failures, trials, confidence)
    if trials == 0:
        return Interval(0.0, 0.0, 1.0)
    z = NormalDist().inv_cdf(1.0 - (1.0 - confidence) / 2.0)
    rate = failures / trials
    scale = 1.0 + z * z / trials
    centre = (rate + z * z / (2.0 * trials)) / scale
    half = z / scale * math.sqrt(rate * (1.0 - rate) / trials + z * z / (4.0 * trials * trials))
    # At the ends the formula gives 0 and 1 up to rounding; a rounding error must not exclude the observed rate.
    low = 0.0 if failures == 0 else max(0.0, centre - half)
    high = 1.0 if failures == trials else min(1.0, centre + half)
    return Interval(rate, low, high)


@lru_cache(maxsize=4096)  # tests of one suite mostly have the same counts
def jeffreys(failures: int, trials: int, *, confidence: float = 0.95) -> Interval:
    """Return the equal-tailed credible interval under Jeffreys' prior Beta(1/2, 1/2).

    The end at an observed rate of 0 or 1 is set to 0 or 1, as Brown, Cai and DasGupta (Statistical Science 16 (2001)
    101-133) advise. Without trials it is [0, 1] around 0.

    Raises:
        ValueError: the counts are impossible, or `confidence` is not inside (0, 1).
    """
    _check(failures, trials, confidence)
    if trials == 0:
        return Interval(0.0, 0.0, 1.0)
    tail = (1.0 - confidence) / 2.0
    low = 0.0 if failures == 0 else beta_quantile(tail, failures + 0.5, trials - failures + 0.5)
    high = 1.0 if failures == trials else beta_quantile(1.0 - tail, failures + 0.5, trials - failures + 0.5)
    return Interval(failures / trials, low, high)


def trials_for_upper_bound(max_rate: float, *, confidence: float = 0.95) -> int:
    """Return how many trials without a failure put the exact two-sided upper end at or below `max_rate`.

    From (alpha/2)^(1/n) >= 1 - max_rate: 72 for 5 % at 95 %.

    Raises:
        ValueError: `max_rate` or `confidence` is not inside (0, 1).
    """
    if not 0.0 < max_rate < 1.0:
        raise ValueError(f"max_rate {max_rate} is not between 0 and 1")
    _check(0, 0, confidence)
    trials = max(1, math.ceil(math.log((1.0 - confidence) / 2.0) / math.log1p(-max_rate)) - 1)
    # The logarithms round; the answer must hold for the interval that is printed.
    while clopper_pearson(0, trials, confidence=confidence).high > max_rate:
        trials += 1
    return trials


def beta_quantile(probability: float, a: float, b: float) -> float:
    """Return the quantile of the Beta(a, b) distribution: the inverse of the regularised incomplete beta function."""
    from scipy.special import betaincinv  # a fifth of the import time of scipy.stats

    return float(betaincinv(a, b, probability))


def _check(failures: int, trials: int, confidence: float) -> None:
    if not 0 <= failures <= trials:
        raise ValueError(f"{failures} failures in {trials} trials")
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"confidence {confidence} is not between 0 and 1")
