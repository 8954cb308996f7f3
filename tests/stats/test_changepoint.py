"""The change point of a failure rate, against the same sums written out step by step."""

import math

import numpy as np
import pytest

from flakehunter.stats.changepoint import AFTER, BEFORE, onset


def log_marginal(bad: int, good: int, prior: tuple[float, float]) -> float:
    def log_beta(a: float, b: float) -> float:
        return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)

    return log_beta(prior[0] + bad, prior[1] + good) - log_beta(*prior)


def range_by_growth(bad: list[int], good: list[int], credible: float) -> tuple[int, int]:
    """Return the range that grows from the most probable step to its more probable side, one step at a time."""
    logs = [
        log_marginal(sum(bad[:at]), sum(good[:at]), BEFORE) + log_marginal(sum(bad[at:]), sum(good[at:]), AFTER)
        for at in range(1, len(bad))
    ]
    weights = [math.exp(one - max(logs)) for one in logs]
    posterior = [0.0, *(weight / sum(weights) for weight in weights)]
    low = high = max(range(1, len(bad)), key=lambda at: posterior[at])
    while sum(posterior[low : high + 1]) < credible and (low > 1 or high < len(bad) - 1):
        left = posterior[low - 1] if low > 1 else -1.0
        right = posterior[high + 1] if high < len(bad) - 1 else -1.0
        low, high = (low - 1, high) if left >= right else (low, high + 1)
    return low, high


@pytest.mark.parametrize("credible", [0.5, 0.95])
def test_the_range_grows_to_the_more_probable_side(credible: float) -> None:
    random = np.random.default_rng(7)
    for length in (2, 3, 10, 60, 200):
        for rate in (0.05, 0.4):
            since = int(random.integers(0, length))
            bad = (random.random(length) < np.where(np.arange(length) >= since, rate, 0.01)).astype(np.int64)
            bad[length // 2] = 1
            found = onset(bad, np.ones(length, np.int64), credible=credible)
            expected = range_by_growth(bad.tolist(), (1 - bad).tolist(), credible)
            assert (found.low, found.high) == expected
            assert found.low <= found.step <= found.high
