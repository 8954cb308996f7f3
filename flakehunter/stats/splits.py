"""Does a test fail more here than there? Exact and rank tests, and the allowance for many tests at once."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def fisher_greater(failures: int, trials: int, other_failures: int, other_trials: int) -> float:
    """Return the one-sided p-value of Fisher's exact test that the first rate is the larger one.

    The upper tail of the hypergeometric distribution with all margins fixed. Source: Fisher, J. R. Stat. Soc. 85
    (1922) 87-94.

    Raises:
        ValueError: the counts are impossible.
    """
    if not (0 <= failures <= trials and 0 <= other_failures <= other_trials):
        raise ValueError(f"{failures} of {trials} against {other_failures} of {other_trials}")
    all_failures, total = failures + other_failures, trials + other_trials
    scale = _log_choose(total, all_failures)
    terms = [
        _log_choose(trials, count) + _log_choose(other_trials, all_failures - count) - scale
        for count in range(failures, min(trials, all_failures) + 1)
    ]
    return min(1.0, math.fsum(math.exp(term) for term in terms))


def _log_choose(total: int, count: int) -> float:
    return math.lgamma(total + 1) - math.lgamma(count + 1) - math.lgamma(total - count + 1)


def rank_greater(first: Floats, second: Floats) -> float:
    """Return the one-sided p-value of the rank test that values of `first` are the larger ones.

    Normal approximation with correction for ties and continuity; good from about 3 against 8 values on. Source: Mann
    and Whitney, Ann. Math. Stat. 18 (1947) 50-60. 1 when one side is empty or all values are equal.
    """
    if not len(first) or not len(second):
        return 1.0
    values = np.concatenate([first, second])
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    ranks = (ends - (counts - 1) / 2.0)[place]
    m, n = len(first), len(second)
    u = float(ranks[:m].sum()) - m * (m + 1) / 2.0
    ties = float((counts.astype(np.float64) ** 3 - counts).sum())
    variance = m * n / 12.0 * ((m + n + 1) - ties / ((m + n) * (m + n - 1)))
    if variance <= 0.0:
        return 1.0
    z = (u - m * n / 2.0 - 0.5) / math.sqrt(variance)
    return 0.5 * math.erfc(z / math.sqrt(2.0))


def q_values(p_values: Sequence[float]) -> list[float]:
    """Return for each p-value the smallest false discovery rate at which it is still a discovery.

    Source: Benjamini and Hochberg, J. R. Stat. Soc. B 57 (1995) 289-300.
    """
    count = len(p_values)
    result = [0.0] * count
    least = 1.0
    for rank, index in enumerate(sorted(range(count), key=lambda one: -p_values[one])):
        least = min(least, p_values[index] * count / (count - rank))
        result[index] = least
    return result
