"""Counts over millions of packed results: by run, by test, and by test and slot.

Results come as columns or as grids, see `queries.packing`. Ids are small whole numbers that the database gave out one
after the other, so they serve as places in arrays, and nothing is sorted. Where they are not small, results are sorted
instead, which takes ten times as long.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from flakehunter.db.queries.packing import BAD, SKIPPED, Grid, Ints, Packed, Part, joined

OUTCOMES = 3
"""What an attempt may come to: `PASSED`, `BAD` or `SKIPPED`."""

DIRECT_IDS = 50_000_000
"""Ids up to here are places in arrays, which take up to eight bytes for each."""

DENSE_CELLS = 4_000_000
"""Pairs of test and slot up to which each has a place in arrays, of 32 bytes; beyond, only those that are there."""


class Table:
    """Looks many ids up at once: an array where the ids are small, a search where they are not."""

    def __init__(self, ids: Sequence[int], values: Sequence[int]) -> None:
        order = np.argsort(np.array(ids, np.int64), kind="stable")
        self._ids = np.array(ids, np.int64)[order]
        self._values = np.array(values, np.int32)[order]
        self._direct: npt.NDArray[np.int32] | None = None
        if len(ids) and self._ids[-1] < DIRECT_IDS:
            self._direct = np.full(int(self._ids[-1]) + 1, -1, np.int32)
            self._direct[self._ids] = self._values

    def of(self, wanted: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
        """Return the value of each id; every one has to be known."""
        if self._direct is not None:
            return self._direct[wanted]
        return self._values[np.searchsorted(self._ids, wanted)]


def by_run(parts: Iterable[Part], places: Table, many: int) -> Ints:
    """Return how many results of each of `many` runs passed, failed and were skipped: (many, 3)."""
    counts = np.zeros((many, OUTCOMES), np.int64)
    for part in parts:
        place = places.of(part.run)
        if isinstance(part, Grid):
            bad, skipped = (np.bincount(part.places(code)[0], minlength=len(place)) for code in (BAD, SKIPPED))
            counts[place] += _by_outcome(len(part.test), bad, skipped)
        else:
            found = np.bincount(place * OUTCOMES + part.outcome, minlength=counts.size)
            counts += found.reshape(counts.shape)
    return counts


def by_test(parts: Sequence[Part], slots: Table) -> Ints:
    """Return for each test with results in a slot: test case id, failures and executions there."""
    largest = max((int(part.test.max(initial=0)) for part in parts), default=0)
    if largest >= DIRECT_IDS:
        tests = np.unique(np.concatenate([part.test for part in parts]))
    else:
        tests = np.arange(largest + 1)
    of_test = np.zeros((len(tests), OUTCOMES), np.int64)
    for part in parts:
        inside = slots.of(part.run) >= 0
        place = part.test if largest < DIRECT_IDS else np.searchsorted(tests, part.test).astype(np.int32)
        if isinstance(part, Grid):
            # A test that was tried again stands there again.
            np.add.at(of_test, place, _in_rows(part, inside))
        else:
            keys = place * OUTCOMES + part.outcome
            counts = np.bincount(keys if inside.all() else keys[inside], minlength=of_test.size)
            of_test += counts.reshape(of_test.shape)
    there = of_test.sum(axis=1) > 0
    executed = of_test.sum(axis=1) - of_test[:, SKIPPED]
    return np.stack([tests[there], of_test[there, BAD], executed[there]], axis=1).astype(np.int64)


def _in_rows(grid: Grid, inside: npt.NDArray[np.bool_]) -> Ints:
    """Return how many results of each test of a grid passed, failed and were skipped, in some of the runs: (M, 3)."""
    found = []
    for code in (BAD, SKIPPED):
        rows, columns = grid.places(code)
        found.append(np.bincount(columns[inside[rows]], minlength=len(grid.test)))
    return _by_outcome(int(inside.sum()), *found)


def _by_outcome(many: int, bad: Ints, skipped: Ints) -> Ints:
    """Return counts of results, each of `many`, in columns: passed, failed, skipped."""
    return np.stack([many - bad - skipped, bad, skipped], axis=1)


def failures(parts: Sequence[Part]) -> Packed:
    """Return the failed results."""
    return joined(_failures(part) for part in parts)


def _failures(part: Part) -> Packed:
    if isinstance(part, Grid):
        row, column = part.places(BAD)
        return Packed(part.test[column], part.run[row], np.full(len(row), BAD, np.uint8))
    return part.where(part.outcome == BAD)


def by_slot(parts: Iterable[Part], slots: Table, tests: Ints, *, runs: Table, many: tuple[int, int]) -> Ints:
    """Return for each of `tests`, in ascending order, and each slot it was executed in how often it failed there.

    Args:
        parts: the results.
        slots: the slot of each run, negative for none.
        tests: the test case ids that are wanted, in ascending order.
        runs: the place of each run.
        many: how many slots and how many runs there are.

    Returns:
        Rows of test case id, slot, failures, executions, and runs in which it both failed and passed; in the order of
        tests and slots.
    """
    chosen = Chosen(tests)
    in_slot, in_run, bad = _keys(parts, chosen, (slots, runs), many)
    if len(tests) * max(many) < min(DENSE_CELLS, DIRECT_IDS):
        size, at = len(tests) * many[0], in_slot
        both = _both_directly(in_run, bad, len(tests) * many[1])
    else:
        keys, at = np.unique(in_slot, return_inverse=True)
        size, both = len(keys), _both_by_sorting(in_run, bad)
    counts = np.bincount(at, minlength=size)
    there = np.flatnonzero(counts)
    failed = np.bincount(at[bad], minlength=size)
    # One row stands for each test and run with both outcomes.
    mixed = np.bincount(at[both], minlength=size)
    place, slot = np.divmod(there if at is in_slot else keys[there], many[0])
    # Each column stands in one piece, since they are mostly looked at one by one.
    return np.stack([tests[place], slot, failed[there], counts[there], mixed[there]]).astype(np.int64, copy=False).T


def _keys(
    parts: Iterable[Part], chosen: "Chosen", tables: tuple[Table, Table], many: tuple[int, int]
) -> tuple[Ints, Ints, npt.NDArray[np.bool_]]:
    """Return of each result of a chosen test that was executed in a slot: test and slot, test and run, whether bad.

    Test and slot, and test and run, are one number each: the place of the test times how `many` slots or runs there
    are, and the slot or the place of the run.
    """
    found: list[tuple[Ints, Ints, npt.NDArray[np.bool_]]] = [(np.zeros(0, np.int64),) * 2 + (np.zeros(0, np.bool_),)]
    for part in parts:
        place = chosen.places(part.test).astype(np.int64)
        slot, run = (table.of(part.run) for table in tables)
        if isinstance(part, Grid):
            rows, columns = np.flatnonzero(slot >= 0), np.flatnonzero(place >= 0)
            outcome = part.outcome[np.ix_(rows, columns)].ravel()
            at = [
                (place[columns] * size + each[rows, None]).ravel() for size, each in zip(many, (slot, run), strict=True)
            ]
            executed = outcome != SKIPPED
            if not executed.all():
                outcome, at = outcome[executed], [each[executed] for each in at]
        else:
            wanted = np.flatnonzero((place >= 0) & (slot >= 0) & (part.outcome != SKIPPED))
            outcome = part.outcome[wanted]
            at = [place[wanted] * size + each[wanted] for size, each in zip(many, (slot, run), strict=True)]
        found.append((at[0], at[1], outcome == BAD))
    in_slot, in_run, bad = (np.concatenate(column) for column in zip(*found, strict=True))
    return in_slot, in_run, bad


class Chosen:
    """Some test cases out of many, by ids in ascending order."""

    def __init__(self, tests: Ints) -> None:
        self._tests = tests
        self._direct: npt.NDArray[np.int32] | None = None
        if len(tests) and tests[-1] < DIRECT_IDS:
            # One place more, for all ids above the last.
            self._direct = np.full(int(tests[-1]) + 2, -1, np.int32)
            self._direct[tests] = np.arange(len(tests), dtype=np.int32)

    def places(self, wanted: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
        """Return the place of each id among the chosen ones, -1 for any other."""
        if self._direct is not None:
            return self._direct.take(wanted, mode="clip")
        if not len(self._tests):
            return np.full(len(wanted), -1, np.int32)
        place = np.minimum(np.searchsorted(self._tests, wanted), len(self._tests) - 1)
        return np.where(self._tests[place] == wanted, place, -1).astype(np.int32)


def _both_directly(keys: Ints, bad: npt.NDArray[np.bool_], size: int) -> Ints:
    """Return one row for each key that has a bad one and another, with an array of `size`, above all keys."""
    seen = np.zeros(size, np.bool_)
    seen[keys[bad]] = True
    good = np.flatnonzero(~bad)
    rows = good[seen[keys[good]]]
    return rows[np.unique(keys[rows], return_index=True)[1]]


def _both_by_sorting(keys: Ints, bad: npt.NDArray[np.bool_]) -> Ints:
    """Return one row for each key that has a bad one and another."""
    good = np.flatnonzero(~bad)
    rows = good[np.isin(keys[good], keys[bad])]
    return rows[np.unique(keys[rows], return_index=True)[1]]
