"""Rollups: which test did what in which run, packed into a few blobs, so that `detect` reads millions at once.

A rollup holds the results of the artifacts of one project after the rollup before it, up to `upto`. Reading a result
from a blob takes nanoseconds, from its row a microsecond. A rollup whose `stamp` no longer fits the artifacts, since
some were deleted or came late, is left out and its results are read from their rows.
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, case, delete, func, insert, select

from flakehunter.db.schema import Artifact, Project, Result, Rollup, Run
from flakehunter.model import Outcome

PASSED, BAD, SKIPPED = 0, 1, 2
"""What an attempt came to."""

ROWS_A_ROLLUP = 2_000_000
"""Results in one rollup at most: about 20 MB before it is compressed."""

MANY_SMALL = 50
"""So many small rollups are made one."""

ROWS_AT_ONCE = 50_000
"""Rows that are Python objects at one time."""


@dataclass(frozen=True, slots=True)
class Packed:
    """Results as columns: (n,) test case ids, (n,) run ids, (n,) what the attempt came to."""

    test: npt.NDArray[np.int32]
    run: npt.NDArray[np.int32]
    outcome: npt.NDArray[np.uint8]

    def where(self, mask: npt.NDArray[np.bool_]) -> "Packed":
        """Return the results that `mask` says."""
        return Packed(self.test[mask], self.run[mask], self.outcome[mask])


def read_packed(connection: Connection, project: str) -> Packed:
    """Return every result of `project`: from rollups, and from rows what came after them."""
    project_id = connection.scalar(select(Project.id).where(Project.name == project))
    if project_id is None:
        return _joined([])
    good = _good(connection, int(project_id))
    query = select(Rollup.data).where(Rollup.project_id == project_id, Rollup.upto <= good).order_by(Rollup.id)
    parts = [_decoded(bytes(data)) for data in connection.scalars(query)]
    parts += [_columns(rows) for rows in _from_rows(connection, int(project_id), good)]
    return _joined(parts)


def update_rollups(connection: Connection, project: str) -> int:
    """Roll up what is not rolled up yet, in the given transaction; return how many results that was."""
    project_id = connection.scalar(select(Project.id).where(Project.name == project))
    if project_id is None:
        return 0
    good = _good(connection, int(project_id))
    upto, stamp = _stamp(connection, int(project_id), None)
    connection.execute(delete(Rollup).where(Rollup.project_id == project_id, Rollup.upto > good))
    if upto == good:
        return 0
    parts: list[Packed] = [_columns(rows) for rows in _from_rows(connection, int(project_id), good)]
    new = sum(len(part.test) for part in parts)
    small = _small(connection, int(project_id))
    if len(small) >= MANY_SMALL:
        parts = [_decoded(data) for _, data in small] + parts
        connection.execute(delete(Rollup).where(Rollup.id.in_([id_ for id_, _ in small])))
    whole = _joined(parts)
    for start in range(0, max(len(whole.test), 1), ROWS_A_ROLLUP):
        end = start + ROWS_A_ROLLUP
        part = Packed(whole.test[start:end], whole.run[start:end], whole.outcome[start:end])
        values = {"project_id": project_id, "upto": upto, "stamp": stamp, "results": len(part.test)}
        connection.execute(insert(Rollup).values(**values, data=_encoded(part)))
    return new


def _small(connection: Connection, project_id: int) -> list[tuple[int, bytes]]:
    """Return id and data of the small rollups: each ingest makes one, and some day they are made one."""
    query = select(Rollup.id, Rollup.data).where(Rollup.project_id == project_id, Rollup.results < ROWS_A_ROLLUP // 10)
    return [(int(id_), bytes(data)) for id_, data in connection.execute(query.order_by(Rollup.id))]


def _good(connection: Connection, project_id: int) -> int:
    """Return up to which artifact the rollups still say what the rows say; 0 for no such rollup."""
    query = select(Rollup.upto, Rollup.stamp).where(Rollup.project_id == project_id).distinct()
    for upto, stamp in connection.execute(query.order_by(Rollup.upto.desc())).all():
        if _stamp(connection, project_id, int(upto)) == (upto, stamp):
            return int(upto)
    return 0


def _stamp(connection: Connection, project_id: int, upto: int | None) -> tuple[int, str]:
    """Return the highest artifact up to `upto`, and what tells whether artifacts went or came since."""
    query = (
        select(func.max(Artifact.id), func.count(), func.sum(Artifact.size_bytes))
        .join(Run, Run.id == Artifact.run_id)
        .where(Run.project_id == project_id)
    )
    if upto is not None:
        query = query.where(Artifact.id <= upto)
    highest, count, size = connection.execute(query).one()
    return int(highest or 0), f"{count} artifacts, {int(size or 0)} bytes"


def _from_rows(connection: Connection, project_id: int, since: int) -> Iterator[npt.NDArray[np.int64]]:
    """Yield (n, 3) arrays of test case id, run id and outcome, of the artifacts after `since`."""
    bad = Result.outcome.in_([Outcome.FAILED, Outcome.ERRORED])
    what = case((bad, BAD), (Result.outcome == Outcome.SKIPPED, SKIPPED), else_=PASSED)
    query = select(Result.test_case_id, Result.run_id, what).join(Run, Run.id == Result.run_id)
    query = query.where(Run.project_id == project_id)
    if since:
        query = query.where(Result.artifact_id > since)
    for rows in connection.execute(query).partitions(ROWS_AT_ONCE):
        yield np.fromiter(chain.from_iterable(rows), dtype=np.int64).reshape(-1, 3)


def _joined(parts: list[Packed]) -> Packed:
    parts = parts or [_columns(np.zeros((0, 3), np.int64))]
    return Packed(
        np.concatenate([part.test for part in parts]),
        np.concatenate([part.run for part in parts]),
        np.concatenate([part.outcome for part in parts]),
    )


def _columns(rows: npt.NDArray[np.int64]) -> Packed:
    return Packed(rows[:, 0].astype(np.int32), rows[:, 1].astype(np.int32), rows[:, 2].astype(np.uint8))


def _encoded(part: Packed) -> bytes:
    """Return the columns one after the other, little-endian, compressed."""
    columns = (part.test.astype("<i4"), part.run.astype("<i4"), part.outcome)
    return zlib.compress(b"".join(column.tobytes() for column in columns), 1)


def _decoded(data: bytes) -> Packed:
    raw = zlib.decompress(data)
    count = len(raw) // 9
    return Packed(
        np.frombuffer(raw, "<i4", count),
        np.frombuffer(raw, "<i4", count, 4 * count),
        np.frombuffer(raw, np.uint8, count, 8 * count),
    )
