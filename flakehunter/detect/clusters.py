"""Runs in which many tests fail at once and pass in the next run: one cause, not many flakes.

A run that fails less than an outage, but far more tests than runs of its kind do, is either a breakage (the same
tests fail in every run of the commit, or in the next commits) or a bad run: a sick runner, a full disk. The failures
of a bad run are taken out of the history of each test that passed in the runs beside it. What is left of them is the
question whether it is always the same few tests: a test that a share h of all tests shares its luck with fails in a
bad run with probability h; one that is sensitive to such runs with a probability of its own, uniform at first.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection

from flakehunter.db.queries.history import History, RunRow, failures_of_runs

Ints = npt.NDArray[np.int64]

FEWEST = 5
"""With fewer failures a run is not suspected."""

SIGMAS = 6.0
"""So many standard deviations of a Poisson count above the median of its kind of job, a run is suspected."""

BESIDE = 0.5
"""Share of a suspected run's failed tests that must have passed beside it for the run to be a bad one."""

PRIOR_SENSITIVE = 0.5
"""A flaky test is sensitive to bad runs."""


MOST_HIT = 0.999
"""Share of failed results from which on it counts for no more: some test was spared by chance."""


@dataclass(frozen=True, slots=True)
class BadRun:
    """A run whose failures have one cause."""

    run: RunRow
    tests: frozenset[int]
    """Tests that failed in it and passed beside it."""

    @property
    def share(self) -> float:
        """Return the share of the executed results that failed."""
        return self.run.failed / self.run.executed


def suspects(history: History) -> list[RunRow]:
    """Return the runs, no outages, that fail far more tests than their kind of job usually does."""
    out = {run.id for run in history.outages}
    usable = [run for run in history.runs if run.id not in out]
    by_kind: dict[tuple[str, str, str], list[int]] = {}
    for run in usable:
        by_kind.setdefault(run.kind, []).append(run.failed)
    usual = {kind: float(median(failed)) for kind, failed in by_kind.items()}
    return [run for run in usable if run.failed >= _suspicious(usual[run.kind])]


def _suspicious(usual: float) -> float:
    return max(FEWEST, usual + SIGMAS * math.sqrt(usual) + 4.0)


def set_apart(connection: Connection, history: History) -> tuple[History, list[BadRun]]:
    """Return the history without the failures of bad runs, and those runs."""
    suspected = suspects(history)
    if not suspected or not len(history.cells):
        return history, []
    results = failures_of_runs(connection, [run.id for run in suspected])
    results = results[np.argsort(results[:, 1], kind="stable")]
    cells, bad_runs = history.cells.copy(order="K"), []
    beside = _passed_beside(history)
    keys = cells[:, 0] * len(history.slots) + cells[:, 1]
    order = np.argsort(keys, kind="stable")
    for run in suspected:
        begin, end = np.searchsorted(results[:, 1], [run.id, run.id + 1])
        test, _, bad, executed = results[begin:end].T
        wanted = test * len(history.slots) + history.slot_of[run.id]
        row = order[np.minimum(np.searchsorted(keys, wanted, sorter=order), len(keys) - 1)]
        others, others_bad = cells[row, 3] - executed, cells[row, 2] - bad
        alone = (keys[row] == wanted) & ((others > others_bad) | ((others == 0) & beside[row]))
        if alone.sum() >= max(FEWEST, BESIDE * len(test)):
            row, bad, executed = row[alone], bad[alone], executed[alone]
            cells[row, 2] -= bad
            cells[row, 3] -= executed
            cells[row, 4] = np.maximum(0, cells[row, 4] - (bad < executed))
            bad_runs.append(BadRun(run, frozenset(test[alone].tolist())))
    return replace(history, cells=cells[cells[:, 3] > 0]), bad_runs


def _passed_beside(history: History) -> npt.NDArray[np.bool_]:
    """Return for each cell whether the test passed at the commits before and after, in this kind of job and branch."""
    cells, slots = history.cells, history.slots
    branches = {branch: number for number, branch in enumerate(sorted({slot.branch for slot in slots}))}
    place = np.array([(slot.kind, branches[slot.branch], slot.commit) for slot in slots], np.int64).reshape(-1, 3)
    kind, branch, commit = place[cells[:, 1]].T
    order = np.lexsort((commit, branch, kind, cells[:, 0]))
    passed = (cells[:, 3] > cells[:, 2])[order]
    group = np.stack([cells[:, 0], kind, branch])[:, order]
    same = (group[:, 1:] == group[:, :-1]).all(axis=0)
    before = np.concatenate([[False], passed[:-1] & same])
    after = np.concatenate([passed[1:] & same, [False]])
    beside = np.zeros(len(cells), np.bool_)
    beside[order] = before & after
    return beside


def by_test(bad_runs: Sequence[BadRun]) -> dict[int, list[BadRun]]:
    """Return the bad runs that hit each test."""
    hits: dict[int, list[BadRun]] = {}
    for one in bad_runs:
        for test in one.tests:
            hits.setdefault(test, []).append(one)
    return hits


def sensitivities(bad_runs: Sequence[BadRun]) -> dict[int, float]:
    """Return for each test that bad runs hit the log Bayes factor for "it is sensitive to bad runs".

    With hits and misses counted over all bad runs, the sensitive test has the marginal likelihood of a uniform prior,
    Beta(hits + 1, misses + 1); any other test the product of the runs' shares. At least 0: not being sensitive to bad
    runs is no sign against other flakes.
    """
    spared = math.fsum(_log_spared(one) for one in bad_runs)
    return {test: _sensitivity(hits, len(bad_runs), spared) for test, hits in by_test(bad_runs).items()}


def _log_spared(one: BadRun) -> float:
    """Return the log of the probability that a bad run spares a test; not of 0, where it failed all but a few."""
    return math.log1p(-min(one.share, MOST_HIT))


def _sensitivity(hits: Sequence[BadRun], many: int, spared: float) -> float:
    """Return the log Bayes factor from the runs that hit a test; `spared` is of all `many` bad runs together."""
    sensitive = math.lgamma(len(hits) + 1) + math.lgamma(many - len(hits) + 1) - math.lgamma(many + 2)
    chance = spared + math.fsum(math.log(one.share) - _log_spared(one) for one in hits)
    factor = PRIOR_SENSITIVE * math.exp(min(sensitive - chance, 600.0)) + (1.0 - PRIOR_SENSITIVE)
    return max(0.0, math.log(factor))
