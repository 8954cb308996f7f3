"""Evidence that may be looked at after every trial: e-values for one failure rate and for two; pure functions.

An e-value has an expectation of at most 1 at every moment, however one decides when to stop and which arm to try next,
as long as the null hypothesis is true. So "reject as soon as e >= 1/alpha" is wrong at most with probability alpha
(Ville's inequality). Source: Ramdas, Gruenwald, Vovk, Shafer, "Game-theoretic statistics and safe anytime-valid
inference", Statistical Science 38 (2023) 576-601. Trials that say nothing of the test are in no count.
"""

import math
from dataclasses import dataclass

GRID = 257
"""Nodes of the integral over one rate; with 2001 of them the result is the same to six digits."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Failures among the trials of one arm that say something of the test."""

    failures: int
    trials: int

    def __post_init__(self) -> None:
        if not 0 <= self.failures <= self.trials:
            raise ValueError(f"{self.failures} failures in {self.trials} trials")


def evidence_below(counts: Counts, rate: float) -> float:
    """Return the e-value against "the failure rate is `rate` or more".

    A mixture of likelihood ratios against `rate`: half of it on a rate of 0, half spread evenly over (0, rate). Without
    a failure it exceeds 20 after 72 trials at a rate of 5 %, where the exact interval ends at 5 % as well.
    """
    _check_rate(rate)
    k, n = counts.failures, counts.trials
    spread = _log_spread(k, n, 0.0, rate) - _log_likelihood(k, n, rate)
    never = math.exp(min(700.0, -_log_likelihood(k, n, rate))) if k == 0 else 0.0
    return 0.5 * never + 0.5 * math.exp(min(700.0, spread))


def evidence_above(counts: Counts, rate: float) -> float:
    """Return the e-value against "the failure rate is `rate` or less": likelihood ratios spread over (rate, 1)."""
    _check_rate(rate)
    k, n = counts.failures, counts.trials
    return math.exp(min(700.0, _log_spread(k, n, rate, 1.0) - _log_likelihood(k, n, rate)))


def evidence_of_improvement(before: Counts, after: Counts) -> float:
    """Return the e-value against "the rate after the fix is no smaller than before".

    The likelihood, averaged over both rates under Jeffreys' prior restricted to after < before, over the largest
    likelihood that the null allows (universal inference: Wasserman, Ramdas, Balakrishnan, PNAS 117 (2020) 16880-16890).
    It stays valid when an arm is stopped early and only the other goes on.
    """
    averaged = (
        math.log(2.0)
        + _log_jeffreys(before)
        + _log_jeffreys(after)
        + math.log(max(_probability_smaller(after, before), 1e-300))
    )
    return math.exp(min(700.0, averaged - _log_largest_under_null(before, after)))


def _log_largest_under_null(before: Counts, after: Counts) -> float:
    worse = after.failures * before.trials >= before.failures * after.trials
    groups = (before, after) if worse else (Counts(before.failures + after.failures, before.trials + after.trials),)
    return sum(
        _log_likelihood(group.failures, group.trials, group.failures / group.trials) for group in groups if group.trials
    )


def _log_likelihood(k: int, n: int, rate: float) -> float:
    first = k * math.log(rate) if k else 0.0
    second = (n - k) * math.log1p(-rate) if n > k else 0.0
    return first + second


def _log_spread(k: int, n: int, low: float, high: float) -> float:
    """Return log of the likelihood averaged over rates even in (low, high), where one end is 0 or 1."""
    from scipy.special import betainc, betaincc, betaln

    share = betainc(k + 1, n - k + 1, high) if low == 0.0 else betaincc(k + 1, n - k + 1, low)
    return float(betaln(k + 1, n - k + 1) + math.log(max(float(share), 1e-300)) - math.log(high - low))


def _log_jeffreys(counts: Counts) -> float:
    from scipy.special import betaln

    k, n = counts.failures, counts.trials
    return float(betaln(k + 0.5, n - k + 0.5) - betaln(0.5, 0.5))


def _probability_smaller(small: Counts, large: Counts) -> float:
    """Return the posterior probability, under Jeffreys' prior for each, that `small`'s rate is below `large`'s."""
    import numpy as np
    from scipy.special import betainc

    # rate = sin(angle)^2 takes away the poles that Jeffreys' density has at 0 and 1.
    angle = np.linspace(0.0, math.pi / 2, GRID)
    rate = np.sin(angle) ** 2
    passes = large.trials - large.failures
    logs = 2 * large.failures * np.log(np.maximum(np.sin(angle), 1e-300))
    logs = logs + 2 * passes * np.log(np.maximum(np.cos(angle), 1e-300))
    weight = np.exp(logs - np.max(logs))
    below = betainc(small.failures + 0.5, small.trials - small.failures + 0.5, rate)
    return float(np.trapezoid(weight * below, angle) / np.trapezoid(weight, angle))


def _check_rate(rate: float) -> None:
    if not 0.0 < rate < 1.0:
        raise ValueError(f"rate {rate} is not between 0 and 1")
