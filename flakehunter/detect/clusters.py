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

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection

from flakehunter.db.queries.history import History, RunRow, results_of_runs

Ints = npt.NDArray[np.int64]

FEWEST = 5
"""With fewer failures a run is not suspected."""

SIGMAS = 6.0
"""So many standard deviations of a Poisson count above the median of its kind of job, a run is suspected."""

BESIDE = 0.5
"""Share of a suspected run's failed tests that must have passed beside it for the run to be a bad one."""

PRIOR_SENSITIVE = 0.5
"""A flaky test is sensitive to bad runs."""


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
    usual = {kind: float(np.median(failed)) for kind, failed in by_kind.items()}
    return [run for run in usable if run.failed >= _suspicious(usual[run.kind])]


def _suspicious(usual: float) -> float:
    return max(FEWEST, usual + SIGMAS * math.sqrt(usual) + 4.0)


def set_apart(connection: Connection, history: History) -> tuple[History, list[BadRun]]:
    """Return the history without the failures of bad runs, and those runs."""
    suspected = suspects(history)
    if not suspected or not len(history.cells):
        return history, []
    results = results_of_runs(connection, [run.id for run in suspected])
    cells, bad_runs = history.cells.copy(), []
    index = {(int(test), int(slot)): row for row, (test, slot) in enumerate(cells[:, :2])}
    beside = _passed_beside(history)
    for run in suspected:
        slot = history.slot_of[run.id]
        rows = results[results[:, 1] == run.id]
        failed = [(int(test), int(bad), int(executed)) for test, _, bad, executed in rows if bad]
        alone = []
        for test, bad, executed in failed:
            row = index.get((test, slot))
            if row is None:
                continue
            others = int(cells[row, 3]) - executed
            others_bad = int(cells[row, 2]) - bad
            if others > others_bad or (others == 0 and beside[row]):
                alone.append((row, test, bad, executed))
        if len(failed) and len(alone) >= BESIDE * len(failed) and len(alone) >= FEWEST:
            for row, _, bad, executed in alone:
                cells[row, 2] -= bad
                cells[row, 3] -= executed
                cells[row, 4] = max(0, cells[row, 4] - (bad < executed))
            bad_runs.append(BadRun(run, frozenset(test for _, test, _, _ in alone)))
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


def sensitivity(test_id: int, bad_runs: Sequence[BadRun]) -> float:
    """Return the log Bayes factor for "this test is sensitive to bad runs", from those in which it was hit.

    With hits and misses counted over all bad runs, the sensitive test has the marginal likelihood of a uniform prior,
    Beta(hits + 1, misses + 1); any other test the product of the runs' shares. At least 0: not being sensitive to bad
    runs is no sign against other flakes.
    """
    hits = [one for one in bad_runs if test_id in one.tests]
    if not hits:
        return 0.0
    misses = [one for one in bad_runs if test_id not in one.tests]
    sensitive = math.lgamma(len(hits) + 1) + math.lgamma(len(misses) + 1) - math.lgamma(len(bad_runs) + 2)
    chance = sum(math.log(one.share) for one in hits) + sum(math.log1p(-one.share) for one in misses)
    factor = PRIOR_SENSITIVE * math.exp(min(sensitive - chance, 600.0)) + (1.0 - PRIOR_SENSITIVE)
    return max(0.0, math.log(factor))
