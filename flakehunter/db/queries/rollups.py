"""Rollups: which test did what in which run, packed into a few blobs, so that `detect` reads millions at once.

A rollup holds the results of the artifacts of one project after the rollup before it, up to `upto`. Reading a result
from a blob takes nanoseconds, from its row a microsecond. A rollup whose `stamp` no longer fits the artifacts, since
some were deleted or came late, is left out and its results are read from their rows. Of results whose rows were pruned
(`db.prune`) a rollup of their own is all that is left: it always counts.
"""

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, case, delete, insert, select, update

from flakehunter.db.queries import rolling
from flakehunter.db.queries.packing import BAD as BAD
from flakehunter.db.queries.packing import PASSED, Part, decoded, encoded, from_rows, joined, of_written, parts_of
from flakehunter.db.queries.packing import SKIPPED as SKIPPED
from flakehunter.db.queries.packing import Packed as Packed
from flakehunter.db.rows import Written
from flakehunter.db.schema import Project, Result, Rollup, Run
from flakehunter.model import Outcome

UNPACKED_AT_ONCE = 2
"""Rollups that are unpacked at a time."""

ROWS_AT_ONCE = 50_000
"""Rows that are Python objects at one time."""


def read_packed(connection: Connection, project: str) -> Packed:
    """Return every result of `project`: from rollups, and from rows what came after them."""
    return joined(read_parts(connection, project))


def read_parts(connection: Connection, project: str) -> list[Part]:
    """Return every result of `project` in some parts, which takes less time and memory than all in one."""
    project_id = connection.scalar(select(Project.id).where(Project.name == project))
    if project_id is None:
        return []
    good = rolling.good(connection, int(project_id))
    counts = Rollup.pruned | (Rollup.upto <= good)
    query = select(Rollup.data).where(Rollup.project_id == project_id, counts).order_by(Rollup.id)
    # Who unpacks needs no Python most of the time.
    with ThreadPoolExecutor(UNPACKED_AT_ONCE) as beside:
        parts = list(chain.from_iterable(beside.map(parts_of, map(bytes, connection.scalars(query).all()))))
    return parts + [from_rows(rows) for rows in _from_rows(connection, int(project_id), good)]


def update_rollups(
    connection: Connection,
    project: str,
    written: Written | None = None,
    *,
    everything: bool = False,
    told_only: bool = False,
) -> int:
    """Roll up what is not rolled up yet, in the given transaction; return how many results that was.

    Where that is just what was `written`, its rows are not read. What is rolled up is forgotten there. With `told_only`
    what comes after an artifact that was not told of yet is left for later: in the middle of an ingest by several
    workers there may always be one, and to read rows in place of what the others have told takes seconds.

    Where somebody else is at it at this moment, on PostgreSQL, the rest is left to whoever comes next; so is what came
    while an older transaction was writing, unless `everything` is wanted.
    """
    due = rolling.due(connection, project, written, everything=everything, told_only=told_only)
    if due is None:
        return 0
    parts: Iterable[Packed]
    if due.told is not None:
        parts = [of_written(due.told)]
    else:
        parts = (from_rows(rows) for rows in _from_rows(connection, due.project_id, due.good, due.upto))
    small = rolling.small(connection, due.project_id)
    old: list[Packed] = []
    if len(small) >= rolling.MANY_SMALL:
        data = select(Rollup.data).where(Rollup.id.in_(small)).order_by(Rollup.id)
        old = [decoded(bytes(one)) for one in connection.scalars(data)]
        connection.execute(delete(Rollup).where(Rollup.id.in_(small)))
    stored = _store(connection, chain(old, parts), due.values)
    if written is not None:
        written.forget(due.upto)
    return stored - sum(len(part.test) for part in old)


def keep_pruned(connection: Connection, project: str, runs: npt.NDArray[np.int64]) -> int:
    """Put the results of `runs`, whose rows are about to go, into rollups that stay; return how many they are.

    In the given transaction, which has to delete the rows too, and to have seen to it that nobody else makes rollups.
    """
    update_rollups(connection, project, everything=True)
    project_id = connection.scalar(select(Project.id).where(Project.name == project))
    of_project = select(Rollup.id).where(Rollup.project_id == project_id, ~Rollup.pruned)
    parts: list[Packed] = []
    for id_ in connection.scalars(of_project).all():
        whole = decoded(bytes(connection.scalars(select(Rollup.data).where(Rollup.id == id_)).one()))
        goes = np.isin(whole.run, runs)
        if goes.any():
            parts.append(whole.where(goes))
            rest = whole.where(~goes)
            kept = {"results": len(rest.test), "data": encoded(rest)}
            connection.execute(update(Rollup).where(Rollup.id == id_).values(kept))
    if not parts:
        return 0
    return _store(connection, parts, {"project_id": project_id, "upto": 0, "stamp": "", "pruned": True})


def read_pruned(connection: Connection, runs: npt.NDArray[np.int64]) -> Packed:
    """Return those results of `runs` whose rows are gone."""
    data = connection.scalars(select(Rollup.data).where(Rollup.pruned).order_by(Rollup.id))
    parts = [decoded(bytes(one)) for one in data]
    return joined([part.where(np.isin(part.run, runs)) for part in parts])


def has_pruned(connection: Connection, project_id: int, run: int) -> bool:
    """Whether rows of results of a run are gone."""
    data = connection.scalars(select(Rollup.data).where(Rollup.project_id == project_id, Rollup.pruned))
    return any(bool((decoded(bytes(one)).run == run).any()) for one in data)


def _store(connection: Connection, parts: Iterable[Packed], values: Mapping[str, object]) -> int:
    """Store results as rollups, one for each time that one is full; return how many they are.

    The parts are taken as they come, so that no more than one rollup is in memory.
    """
    stored = 0
    waiting: list[Packed] = []
    for part in parts:
        waiting.append(part)
        if sum(len(one.test) for one in waiting) >= rolling.ROWS_A_ROLLUP:
            stored += _store_one(connection, joined(waiting), values)
            waiting = []
    if waiting or not stored:
        stored += _store_one(connection, joined(waiting), values)
    return stored


def _store_one(connection: Connection, whole: Packed, values: Mapping[str, object]) -> int:
    connection.execute(insert(Rollup).values(**values, results=len(whole.test), data=encoded(whole)))
    return len(whole.test)


def _from_rows(
    connection: Connection, project_id: int, since: int, upto: int | None = None
) -> Iterator[npt.NDArray[np.int64]]:
    """Yield (n, 3) arrays of test case id, run id and outcome, of the artifacts after `since`, not after `upto`."""
    bad = Result.outcome.in_([Outcome.FAILED, Outcome.ERRORED])
    what = case((bad, BAD), (Result.outcome == Outcome.SKIPPED, SKIPPED), else_=PASSED)
    query = select(Result.test_case_id, Result.run_id, what).join(Run, Run.id == Result.run_id)
    query = query.where(Run.project_id == project_id)
    if since:
        query = query.where(Result.artifact_id > since)
    if upto is not None:
        # Others may have added artifacts since the highest was asked for.
        query = query.where(Result.artifact_id <= upto)
    # A driver of PostgreSQL takes in all rows before the first, unless they are asked for part by part.
    for rows in connection.execute(query, execution_options={"yield_per": ROWS_AT_ONCE}).partitions():
        yield np.fromiter(chain.from_iterable(rows), dtype=np.int64).reshape(-1, 3)
