"""Series of any lengths fitted together, those of like length in one round of steps; see `stats.history`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from flakehunter.stats.history import BROKEN, FLAKY, HistoryFit, HistoryPrior, fit_histories

Flags = npt.NDArray[np.bool_]

MOST_PADDED = 1.25
"""Steps of series that are fitted together, each as long as the longest, over the steps that they have."""


@dataclass(frozen=True, slots=True)
class Series:
    """One series of T steps: (T,) failures, (T,) executions, (T,) whether the step is the first of a branch."""

    bad: npt.NDArray[Any]
    executed: npt.NDArray[Any]
    first: Flags

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the counts in as few bytes as hold them."""
        fewest = np.min_scalar_type(int(self.executed.max(initial=0)))
        return Series, (self.bad.astype(fewest), self.executed.astype(fewest), self.first)


@dataclass(frozen=True, slots=True)
class Fitted:
    """What the model says of a series of T steps."""

    log_bayes_factor: float
    flaky: Flags
    """(T,) where it is flaky, with a probability of one half or more."""
    broken: Flags
    """(T,) where it is broken, likewise."""


def fit_series(series: Sequence[Series], *, p_flaky: float, prior: HistoryPrior | None = None) -> list[Fitted]:
    """Fit all series, in groups so that little of the arrays is padding; see `fit_histories`."""
    fitted: dict[int, Fitted] = {}
    for places in _alike([len(one.bad) for one in series]):
        shape = len(places), len(series[places[0]].bad)
        bad, executed, first = np.zeros(shape, np.int64), np.zeros(shape, np.int64), np.zeros(shape, np.bool_)
        for row, place in enumerate(places):
            one = series[place]
            steps = slice(len(one.bad))
            bad[row, steps], executed[row, steps], first[row, steps] = one.bad, one.executed, one.first
        fit: HistoryFit = fit_histories(bad, executed, first, p_flaky=p_flaky, prior=prior)
        flaky, broken = fit.states[..., FLAKY] >= 0.5, fit.states[..., BROKEN] >= 0.5
        for row, place in enumerate(places):
            steps = slice(len(series[place].bad))
            fitted[place] = Fitted(float(fit.log_bayes_factor[row]), flaky[row, steps], broken[row, steps])
    return [fitted[place] for place in range(len(series))]


def _alike(lengths: Sequence[int]) -> list[list[int]]:
    """Divide places by their lengths, the longest first, so that at most `MOST_PADDED` is needed for all in a group.

    Each group is a round of steps, one after the other, so there should be few of them.
    """
    groups: list[list[int]] = []
    whole = longest = 0
    for place in sorted(range(len(lengths)), key=lambda place: -lengths[place]):
        whole += lengths[place]
        if not groups or longest * (len(groups[-1]) + 1) > MOST_PADDED * whole:
            groups.append([])
            whole = longest = lengths[place]
        groups[-1].append(place)
    return groups
