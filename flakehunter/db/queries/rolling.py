"""Which results the next rollup is to hold, and whether that is what was just written: see `queries.rollups`.

Nothing here needs NumPy: an ingest with several processes has another one pack, and never imports it.
"""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection, delete, func, insert, select

from flakehunter.db.locks import settled, try_rollup
from flakehunter.db.rows import Written
from flakehunter.db.schema import Artifact, Project, Rollup, Run

ROWS_A_ROLLUP = 500_000
"""Results from which a rollup is full: about 5 MB before it is compressed."""

MANY_SMALL = 50
"""So many small rollups are made one."""

Pack = Callable[[Written], bytes]
"""Makes the blob of a rollup of what was written, as `packing.packed` does."""


@dataclass(frozen=True, slots=True)
class Due:
    """What the next rollup of a project is to hold: the results of the artifacts after `good`, up to `upto`."""

    project_id: int
    good: int
    upto: int
    stamp: str
    told: Written | None
    """Just these results, where all were told of; None where their rows have to be read."""

    @property
    def values(self) -> dict[str, object]:
        """Return what every rollup of them has in its row beside its results."""
        return {"project_id": self.project_id, "upto": self.upto, "stamp": self.stamp, "pruned": False}


def due(
    connection: Connection,
    project: str,
    written: Written | None = None,
    *,
    everything: bool = False,
    told_only: bool = False,
) -> Due | None:
    """Return what is to be rolled up in the given transaction, and delete rollups that are stale; None for nothing.

    See `rollups.update_rollups`.
    """
    project_id = connection.scalar(select(Project.id).where(Project.name == project))
    if project_id is None or not try_rollup(connection, project):
        return None
    since = good(connection, int(project_id))
    # What somebody is still writing may get a lower id than what is there already.
    upto, stamp = _stamp(connection, int(project_id), None if everything else settled(connection))
    if told_only and written is not None and written.whole:
        unheard = _artifacts(connection, int(project_id), since, upto) - written.artifacts.keys()
        if unheard:
            upto, stamp = _stamp(connection, int(project_id), min(unheard) - 1)
    connection.execute(delete(Rollup).where(Rollup.project_id == project_id, ~Rollup.pruned, Rollup.upto > since))
    if upto <= since:
        return None
    told = None if written is None else written.between(since, upto)
    if told is not None and not (
        told.whole and told.artifacts.keys() == _artifacts(connection, int(project_id), since, upto)
    ):
        told = None
    return Due(int(project_id), since, upto, stamp, told)


def store_told(connection: Connection, project: str, written: Written, pack: Pack, *, told_only: bool = False) -> bool:
    """Store a rollup of what was written, in the given transaction, where that is all that is to be rolled up.

    What is rolled up is forgotten. Return False, and only stale rollups are gone, where rows have to be read or
    rollups to be made one: that is for `rollups.update_rollups`.
    """
    found = due(connection, project, written, told_only=told_only)
    if found is None:
        return True
    if found.told is None or len(small(connection, found.project_id)) >= MANY_SMALL:
        return False
    connection.execute(insert(Rollup).values(**found.values, results=len(found.told), data=pack(found.told)))
    written.forget(found.upto)
    return True


def good(connection: Connection, project_id: int) -> int:
    """Return up to which artifact the rollups still say what the rows say; 0 for no such rollup."""
    query = select(Rollup.upto, Rollup.stamp).where(Rollup.project_id == project_id, ~Rollup.pruned).distinct()
    for upto, stamp in connection.execute(query.order_by(Rollup.upto.desc())).all():
        if _stamp(connection, project_id, int(upto)) == (upto, stamp):
            return int(upto)
    return 0


def small(connection: Connection, project_id: int) -> list[int]:
    """Return the ids of the small rollups: each ingest makes one, and some day they are made one."""
    query = select(Rollup.id).where(
        Rollup.project_id == project_id, ~Rollup.pruned, Rollup.results < ROWS_A_ROLLUP // 10
    )
    return [int(id_) for id_ in connection.scalars(query.order_by(Rollup.id))]


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


def _artifacts(connection: Connection, project_id: int, since: int, upto: int) -> set[int]:
    """Return the artifacts after `since` up to `upto`."""
    query = select(Artifact.id).join(Run, Run.id == Artifact.run_id).where(Run.project_id == project_id)
    return set(connection.scalars(query.where(Artifact.id > since, Artifact.id <= upto)))
