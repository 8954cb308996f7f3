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


def by_slot(parts: Sequence[Part], slots: Table, tests: Ints, *, runs: Table, many: tuple[int, int]) -> Ints:
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
    chosen, tables = Chosen(tests), (slots, runs)
    dense = len(tests) * max(many) < min(DENSE_CELLS, DIRECT_IDS)
    once, left = _divided(parts, runs, many[1]) if dense else ([], parts)
    in_slot, in_run, bad = _keys(left, chosen, tables, many)
    keys, at = (in_slot, in_slot) if dense else np.unique(in_slot, return_inverse=True)
    both = _both_directly(in_run, bad, len(tests) * many[1]) if dense else _both_by_sorting(in_run, bad)
    # Memory that is touched for the first time costs more than what is counted in it, so there is little of it.
    counts = np.zeros((3, len(tests) * many[0] if dense else len(keys)), np.int32)
    # One row of `both` stands for each test and run with both outcomes.
    for column, rows in zip(counts, (at[bad], at, at[both]), strict=True):
        np.add.at(column, rows, 1)
    if once:
        _add_grids(counts.reshape(3, len(tests), many[0]), once, chosen, tables, many[1])
    there = np.flatnonzero(counts[1])
    found = np.empty((5, len(there)), np.int64)
    # They stand in the order of tests and slots.
    found[1] = there if dense else keys[there]
    first = np.arange(len(tests) + 1) * many[0]
    of_test = np.diff(np.searchsorted(found[1], first))
    found[0] = np.repeat(tests, of_test)
    found[1] -= np.repeat(first[:-1], of_test)
    for column, one in zip(found[2:], counts, strict=True):
        column[:] = one[there]
    # Each column stands in one piece, since they are mostly looked at one by one.
    return found.T


def _divided(parts: Iterable[Part], runs: Table, many: int) -> tuple[list[Grid], list[Part]]:
    """Return grids of those of `many` runs that have one result of each test there and none elsewhere, and all else."""
    times = np.zeros(many, np.int32)
    for part in parts:
        here = np.zeros(many, np.bool_)
        here[runs.of(part.run)] = True
        times += here
    once: list[Grid] = []
    left: list[Part] = []
    for part in parts:
        if isinstance(part, Grid) and (part.test[1:] > part.test[:-1]).all():
            again = times[runs.of(part.run)] > 1
            if not again.any():
                once.append(part)
                continue
            once.append(Grid(part.test, part.run[~again], part.outcome[~again]))
            left.append(Grid(part.test, part.run[again], part.outcome[again]))
        else:
            left.append(part)
    return once, left


def _add_grids(
    counts: npt.NDArray[np.int32], grids: Sequence[Grid], chosen: "Chosen", tables: tuple[Table, Table], many: int
) -> None:
    """Add to (3, T, S) counts, of which `by_slot` says more, what `_divided` returned of `many` runs."""
    outcomes = np.full((many, counts.shape[1]), SKIPPED, np.uint8)
    slot = np.full(many, -1, np.int32)
    for grid in grids:
        place, run = chosen.places(grid.test), tables[1].of(grid.run)
        columns = np.flatnonzero(place >= 0)
        outcomes[run[:, None], place[columns]] = grid.outcome[:, columns]
        slot[run] = tables[0].of(grid.run)
    rows = np.flatnonzero(slot >= 0)
    rows = rows[np.argsort(slot[rows], kind="stable")]
    outcomes, slot = outcomes[rows], slot[rows]
    begin = np.flatnonzero(np.diff(slot, prepend=-1))
    if len(begin):
        for column, what in zip(counts, (outcomes == BAD, outcomes != SKIPPED), strict=False):
            column[:, slot[begin]] += np.add.reduceat(what, begin, axis=0, dtype=np.int32).T


def _keys(
    parts: Iterable[Part], chosen: "Chosen", tables: tuple[Table, Table], many: tuple[int, int]
) -> tuple[Ints, Ints, npt.NDArray[np.bool_]]:
    """Return of each result of a chosen test that was executed in a slot: test and slot, test and run, whether bad.

    Test and slot, and test and run, are one number each: the place of the test times how `many` slots or runs there
    are, and the slot or the place of the run.
    """
    found: list[tuple[Ints, Ints, npt.NDArray[np.bool_]]] = [(np.zeros(0, np.int64),) * 2 + (np.zeros(0, np.bool_),)]
    for part in parts:
        packed = part
        if isinstance(part, Grid):
            rows, columns = tables[0].of(part.run) >= 0, chosen.places(part.test) >= 0
            packed = part.some(np.flatnonzero(rows), np.flatnonzero(columns))
        slot, run = (table.of(packed.run) for table in tables)
        place = chosen.places(packed.test)
        wanted = np.flatnonzero((place >= 0) & (slot >= 0) & (packed.outcome != SKIPPED))
        at = [
            place[wanted].astype(np.int64) * size + each[wanted] for size, each in zip(many, (slot, run), strict=True)
        ]
        found.append((at[0], at[1], packed.outcome[wanted] == BAD))
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
