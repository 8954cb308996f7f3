"""Runs: found by what names them, or inserted; one at a time, or all new ones of a transaction at once."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Table, bindparam, insert, select, update
from sqlalchemy.engine import Connection

from flakehunter.db.rows import RunRow
from flakehunter.db.schema import Run

# Statements are built once: building one costs SQLAlchemy ten times what running it does.
_RUNS = cast("Table", Run.__table__)
_KEY = ("project_id", "provider", "external_id", "workflow", "job", "attempt")
_FACTS = ("commit_sha", "branch", "runner", "os", "cpus", "parallel", "time_limit_s", "started_at")
_FIND = select(_RUNS.c.id, *(_RUNS.c[name] for name in _FACTS)).where(
    *(_RUNS.c[name] == bindparam(name) for name in _KEY)
)
_NEW = insert(_RUNS).values({name: bindparam(name) for name in (*_KEY, *_FACTS)}).returning(_RUNS.c.id)
_NEW_ONES = (
    f"INSERT INTO runs ({', '.join(_KEY + _FACTS)}) SELECT %s, {', '.join((_KEY + _FACTS)[1:])}"
    " FROM unnest(%b::text[], %b::text[], %b::text[], %b::text[], %s::int[], %b::text[], %b::text[], %b::text[],"
    " %b::text[], %s::int[], %s::int[], %s::float8[], %s::timestamptz[]) WITH ORDINALITY"
    f" AS t({', '.join((_KEY + _FACTS)[1:])}, number) ORDER BY number RETURNING id, {', '.join(_KEY[1:])}"
)
_THERE = (
    "SELECT r.provider, r.external_id, r.workflow, r.job, r.attempt"
    " FROM unnest(%b::text[], %b::text[], %b::text[], %b::text[], %s::int[]) AS k(a, b, c, d, e) JOIN runs r"
    " ON (r.provider, r.external_id, r.workflow, r.job, r.attempt) = (k.a, k.b, k.c, k.d, k.e) AND r.project_id = %s"
)
_BEGAN = bindparam("began", type_=_RUNS.c.started_at.type)
_BEGAN_EARLIER = (
    update(_RUNS)
    .where(_RUNS.c.id == bindparam("run_id"), _RUNS.c.started_at.is_(None) | (_RUNS.c.started_at > _BEGAN))
    .values(started_at=_BEGAN)
)

RunName = tuple[str, str, str, str, int]
"""What names a run in its project: provider, external id, workflow, job, attempt."""


@dataclass(frozen=True, slots=True)
class RunState:
    """What is known of a run after a transaction; the run stays, so it need not be looked up again."""

    id: int
    started_at: datetime | None
    has_results: bool
    has_log_results: bool


def name_of(run: RunRow) -> RunName:
    """Return what names a run."""
    return run.provider, run.external_id, run.workflow, run.job, run.attempt


def ensure_run(connection: Connection, project_id: int, run: RunRow) -> tuple[RunState, bool]:
    """Find or insert a run; return it and whether it is new."""
    return _ensure(connection, project_id, run, run.external_id)


def _ensure(connection: Connection, project_id: int, run: RunRow, external_id: str) -> tuple[RunState, bool]:
    key, facts = _key(project_id, run) | {"external_id": external_id}, _facts(run)
    found = connection.execute(_FIND, key).mappings().first()
    if found is None:
        made = connection.execute(_NEW, {**key, **facts})
        return RunState(int(made.scalar_one()), run.started_at, False, False), True
    if run.commit and found["commit_sha"] not in ("", run.commit) and external_id == run.external_id:
        # One run has one commit: where ids begin anew at each commit, they do not name a run alone.
        return _ensure(connection, project_id, run, f"{external_id}@{run.commit[:12]}")
    missing = {name: value for name, value in facts.items() if value and not found[name]}
    if missing:
        connection.execute(update(Run).where(Run.id == found["id"]).values(**missing))
    started = found["started_at"] or run.started_at
    return RunState(int(found["id"]), started, False, False), False


def _key(project_id: int, run: RunRow) -> dict[str, Any]:
    return dict(zip(_KEY, (project_id, *name_of(run)), strict=True))


def _facts(run: RunRow) -> dict[str, Any]:
    facts = (run.commit, run.branch, run.runner, run.os, run.cpus, run.parallel, run.time_limit_s, run.started_at)
    return dict(zip(_FACTS, facts, strict=True))


def names_there(connection: Connection, project_id: int, names: Iterable[RunName]) -> set[RunName]:
    """Return which of these runs are in the database; PostgreSQL only."""
    columns = [list(column) for column in zip(*names, strict=True)]
    found = connection.exec_driver_sql(_THERE, (*columns, project_id))
    return {(row[0], row[1], row[2], row[3], row[4]) for row in found}


def insert_runs(
    connection: Connection, project_id: int, runs: Mapping[RunRow, datetime | None]
) -> dict[RunRow, RunState]:
    """Insert runs that are not in the database, in order, with the moments at which they started; PostgreSQL only."""
    rows = [(*name_of(run), *(_facts(run) | {"started_at": began}).values()) for run, began in runs.items()]
    made = connection.exec_driver_sql(_NEW_ONES, (project_id, *map(list, zip(*rows, strict=True))))
    ids = {(row[1], row[2], row[3], row[4], row[5]): int(row[0]) for row in made}
    return {run: RunState(ids[name_of(run)], began, False, False) for run, began in runs.items()}


def began_earlier(connection: Connection, run_id: int, moment: datetime) -> None:
    """Note when a run started, unless somebody has told of an earlier moment."""
    connection.execute(_BEGAN_EARLIER, {"run_id": run_id, "began": moment})
