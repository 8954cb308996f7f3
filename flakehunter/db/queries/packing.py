"""How results are packed: as columns, as grids where runs have the same tests, as compressed blobs in rollups.

Most runs of a job have the same tests in the same order. Of a thousand such runs a grid holds the tests once, and one
byte a result, so that counting them takes a tenth of the time that columns take.
"""

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from flakehunter.db.rows import Written
from flakehunter.errors import DatabaseError

Ints = npt.NDArray[np.int64]

PASSED, BAD, SKIPPED = 0, 1, 2
"""What an attempt came to."""

WORTH_A_GRID = 10_000
"""Results of runs with the same tests from which they are made a grid; each grid takes some 50 µs to count."""


FEWEST_A_RUN = 100
"""Results of a run, on average, below which nobody looks for runs with the same tests."""


@dataclass(frozen=True, slots=True)
class Packed:
    """Results as columns: (n,) test case ids, (n,) run ids, (n,) what the attempt came to."""

    test: npt.NDArray[np.int32]
    run: npt.NDArray[np.int32]
    outcome: npt.NDArray[np.uint8]

    def where(self, mask: npt.NDArray[np.bool_]) -> "Packed":
        """Return the results that `mask` says."""
        return Packed(self.test[mask], self.run[mask], self.outcome[mask])

    def of_test(self, test_id: int) -> "Packed":
        """Return the results of one test."""
        return self.where(self.test == test_id)

    def of_runs_after(self, run_id: int) -> "Packed":
        """Return the results of the runs with higher ids."""
        return self.where(self.run > run_id)

    def packed(self) -> "Packed":
        """Return the results as columns."""
        return self


@dataclass(frozen=True, slots=True)
class Grid:
    """Results of R runs of the same M tests; a test that was tried again stands there again."""

    test: npt.NDArray[np.int32]
    """(M,) test case ids."""
    run: npt.NDArray[np.int32]
    """(R,) run ids, all different."""
    outcome: npt.NDArray[np.uint8]
    """(R, M) what the attempts came to."""

    def places(self, outcome: int) -> tuple[Ints, Ints]:
        """Return row and column of each result that came to `outcome`."""
        rows, columns = np.divmod(np.flatnonzero(self.outcome == outcome), len(self.test))
        return rows, columns

    def some(self, rows: Ints, columns: Ints) -> Packed:
        """Return the results of some runs and tests as columns."""
        outcome = self.outcome[np.ix_(rows, columns)].ravel()
        return Packed(np.tile(self.test[columns], len(rows)), np.repeat(self.run[rows], len(columns)), outcome)

    def of_test(self, test_id: int) -> Packed:
        """Return the results of one test."""
        return self.some(np.arange(len(self.run)), np.flatnonzero(self.test == test_id))

    def of_runs_after(self, run_id: int) -> "Grid":
        """Return the results of the runs with higher ids."""
        wanted = self.run > run_id
        return self if wanted.all() else Grid(self.test, self.run[wanted], self.outcome[wanted])

    def packed(self) -> Packed:
        """Return the results as columns."""
        return self.some(np.arange(len(self.run)), np.arange(len(self.test)))


Part = Packed | Grid
"""Some results of a project."""


def joined(parts: Iterable[Part]) -> Packed:
    """Return the results of all parts as one."""
    columns = [part.packed() for part in parts] or [from_rows(np.zeros((0, 3), np.int64))]
    return Packed(
        np.concatenate([part.test for part in columns]),
        np.concatenate([part.run for part in columns]),
        np.concatenate([part.outcome for part in columns]),
    )


def from_rows(rows: Ints) -> Packed:
    """Return rows of test case id, run id and outcome as columns."""
    return Packed(rows[:, 0].astype(np.int32), rows[:, 1].astype(np.int32), rows[:, 2].astype(np.uint8))


_CODES = np.full(256, PASSED, np.uint8)
_CODES[[ord("f"), ord("e")]] = BAD
_CODES[ord("s")] = SKIPPED


def of_written(written: Written) -> Packed:
    """Return what was written as columns; the words of `Outcome` begin with different letters."""
    tests, runs = np.frombuffer(written.tests, np.int64), np.frombuffer(written.runs, np.int64)
    return Packed(tests.astype(np.int32), runs.astype(np.int32), _CODES[np.frombuffer(written.outcomes, np.uint8)])


def packed(written: Written) -> bytes:
    """Return what was written as the blob of a rollup; for another process, which imports no SQLAlchemy."""
    return encoded(of_written(written))


_HEAD = np.dtype([("format", "<u4"), ("results", "<u4"), ("runs", "<u4"), ("width", "<u4")])
_FORMAT = 1


def encoded(part: Packed) -> bytes:
    """Return the results, in the order of run and test, in a form that is small and quick to read.

    A head of four numbers: format, results, runs, width of a step in bytes. Then, little-endian, the run ids, how many
    results each run has, the steps from each test case id to the next, and the outcomes; all that compressed by zlib.
    Tests of a run mostly have ids one after the other, and each run has them all again.
    """
    order = np.argsort(part.run.astype(np.int64) << 32 | part.test, kind="stable")
    runs, counts = np.unique(part.run, return_counts=True)
    steps = np.diff(part.test[order], prepend=np.int32(0))
    most = int(np.abs(steps).max(initial=0))
    width = next(width for width in (1, 2, 4) if most < 1 << (8 * width - 1))
    head = np.array([(_FORMAT, len(part.test), len(runs), width)], _HEAD)
    columns = (head, runs.astype("<i4"), counts.astype("<i4"), steps.astype(f"<i{width}"), part.outcome[order])
    return zlib.compress(b"".join(column.tobytes() for column in columns), 1)


def decoded(data: bytes) -> Packed:
    """Return the results of a blob as columns.

    Raises:
        DatabaseError: it was made by a version that packs in another way.
    """
    blob = _opened(data)
    return blob if isinstance(blob, Packed) else blob.packed()


def parts_of(data: bytes) -> list[Part]:
    """Return the results of a blob in the parts that are the quickest to count.

    Raises:
        DatabaseError: as `decoded`.
    """
    blob = _opened(data)
    return [blob] if isinstance(blob, Packed) else list(blob.parts())


@dataclass(frozen=True, slots=True)
class _Blob:
    """The columns of a blob as they stand there, in the order of run and test."""

    runs: npt.NDArray[np.int32]
    """(R,) run ids."""
    counts: npt.NDArray[np.int32]
    """(R,) results of each, 1 or more."""
    steps: npt.NDArray[np.signedinteger]
    """(N,) from each test case id to the next; the first is from 0."""
    outcome: npt.NDArray[np.uint8]
    """(N,)"""

    def packed(self) -> Packed:
        return Packed(np.cumsum(self.steps, dtype=np.int32), np.repeat(self.runs, self.counts), self.outcome)

    def parts(self) -> Iterator[Part]:
        """Yield grids of the runs that have the same tests, and what is left as columns."""
        if len(self.outcome) < max(WORTH_A_GRID, FEWEST_A_RUN * len(self.runs)):
            yield self.packed()
            return
        ends = np.cumsum(self.counts, dtype=np.int64)
        begins = ends - self.counts
        left: list[Part] = []
        for first, rows in self._alike(begins, ends):
            place, many = np.array(rows), int(self.counts[rows[0]])
            if rows[-1] - rows[0] + 1 == len(rows):
                outcome = self.outcome[begins[rows[0]] : ends[rows[-1]]].reshape(len(rows), many)
            else:
                outcome = self.outcome[begins[place, None] + np.arange(many)]
            test = np.concatenate([[first], self.steps[begins[rows[0]] + 1 : ends[rows[0]]]])
            grid = Grid(np.cumsum(test, dtype=np.int32), self.runs[place], outcome)
            if outcome.size >= WORTH_A_GRID:
                yield grid
            else:
                left.append(grid)
        if left:
            yield joined(left)

    def _alike(self, begins: Ints, ends: Ints) -> list[tuple[int, list[int]]]:
        """Return the rows of the runs that have the same tests, with the first of these tests."""
        alike: dict[tuple[int, bytes], list[int]] = {}
        lengths: dict[bytes, int] = {}
        last = 0
        for row, (begin, end) in enumerate(zip(begins.tolist(), ends.tolist(), strict=True)):
            # The step to the first test of a run is from the last one of the run before it.
            inner = self.steps[begin + 1 : end]
            key = inner.tobytes()
            if key not in lengths:
                lengths[key] = int(inner.sum(dtype=np.int64))
            first = last + int(self.steps[begin])
            last = first + lengths[key]
            alike.setdefault((first, key), []).append(row)
        return [(first, rows) for (first, _), rows in alike.items()]


def _opened(data: bytes) -> _Blob | Packed:
    raw = zlib.decompress(data)
    head = np.frombuffer(raw[: _HEAD.itemsize].ljust(_HEAD.itemsize, b"\0"), _HEAD)[0]
    results, runs, width = int(head["results"]), int(head["runs"]), int(head["width"])
    begin = _HEAD.itemsize + 8 * runs
    if head["format"] != _FORMAT or len(raw) != begin + (width + 1) * results:
        return _whole_columns(raw)
    return _Blob(
        runs=np.frombuffer(raw, "<i4", runs, _HEAD.itemsize),
        counts=np.frombuffer(raw, "<i4", runs, _HEAD.itemsize + 4 * runs),
        steps=np.frombuffer(raw, f"<i{width}", results, begin),
        outcome=np.frombuffer(raw, np.uint8, results, begin + width * results),
    )


def _whole_columns(raw: bytes) -> Packed:
    """Return the results of a blob as they were packed at first: whole columns, one after the other."""
    count, rest = divmod(len(raw), 9)
    if rest:
        raise DatabaseError(
            "the database holds rollups that this version of flakehunter cannot read",
            url="",
            hint="use the version that made them, or ingest the artifacts into a new database",
        )
    return Packed(
        np.frombuffer(raw, "<i4", count),
        np.frombuffer(raw, "<i4", count, 4 * count),
        np.frombuffer(raw, np.uint8, count, 8 * count),
    )
