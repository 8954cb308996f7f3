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


MOST_STEPS = 100
"""Of the search for a quantile; it takes three or four."""

NEAR = 1e-5
"""A step of that search, in log-odds, after which it is at an end."""

MOST_TERMS = 1_000_000
"""Of a continued fraction; it takes about the square root of the number of trials."""


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
    """Return the quantile of the Beta(a, b) distribution: the inverse of the regularised incomplete beta function.

    Not SciPy's, whose import takes longer than all the intervals of a `detect`. Found by Halley's method in the
    log-odds u of the quantile, on the log of the lower tail. That is concave in u: from wherever it starts, each step
    comes nearer. The upper half is the lower one of 1 - x, which keeps its digits.

    Raises:
        ValueError: `probability` is not inside (0, 1), or `a` or `b` is not positive.
    """
    if not (0.0 < probability < 1.0 and a > 0.0 and b > 0.0):
        raise ValueError(f"no quantile {probability} of Beta({a}, {b})")
    if probability > 0.5:
        return 1.0 / (1.0 + math.exp(_log_odds_of_lower(1.0 - probability, b, a)))
    return 1.0 / (1.0 + math.exp(-_log_odds_of_lower(probability, a, b)))


def _log_odds_of_lower(probability: float, a: float, b: float) -> float:
    """Return u = ln(x / (1 - x)) of the quantile x, for a probability of one half at most."""
    scale = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    wanted = math.log(probability)
    # The quantile of the normal distribution that u comes near to for large a and b.
    u = math.log(a / b) + NormalDist().inv_cdf(probability) * math.sqrt(1.0 / a + 1.0 / b)
    for _ in range(MOST_STEPS):
        x, y = 1.0 / (1.0 + math.exp(-u)), 1.0 / (1.0 + math.exp(u))
        density = math.exp(scale - a * math.log1p(math.exp(-u)) - b * math.log1p(math.exp(u)))
        tail = _lower_tail(x, y, a, b, density)
        slope = density / tail
        bend = slope * (a * y - b * x - slope)
        over = math.log(tail) - wanted
        step = over * slope / (slope * slope - 0.5 * over * bend)
        u -= step
        # The error is of the order of the cube of the last step.
        if abs(step) < NEAR:
            break
    return u


def _lower_tail(x: float, y: float, a: float, b: float, density: float) -> float:
    """Return P(X <= x) for Beta(a, b); y is 1 - x, and `density` that of the log-odds of X."""
    if x > (a + 1.0) / (a + b + 2.0):
        return 1.0 - density / b * _continued_fraction(y, b, a)
    return density / a * _continued_fraction(x, a, b)


def _continued_fraction(x: float, a: float, b: float) -> float:
    """Return what is beside x^a (1 - x)^b / (a B(a, b)) in the incomplete beta function, for x < (a + 1) / (a + b + 2).

    Source: https://dlmf.nist.gov/8.17.E22, by the modified method of Lentz, Applied Optics 15 (1976) 668-671.
    """
    above = 1.0
    below = value = 1.0 / (1.0 - (a + b) * x / (a + 1.0))
    for m in range(1, MOST_TERMS):
        last = a + 2.0 * m
        for term in (m * (b - m) * x / ((last - 1.0) * last), -(a + m) * (a + b + m) * x / (last * (last + 1.0))):
            below = 1.0 / (1.0 + term * below)
            above = 1.0 + term / above
            value *= below * above
        if abs(below * above - 1.0) < 1e-15:
            break
    return value


def _check(failures: int, trials: int, confidence: float) -> None:
    if not 0 <= failures <= trials:
        raise ValueError(f"{failures} failures in {trials} trials")
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"confidence {confidence} is not between 0 and 1")
