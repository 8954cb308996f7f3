"""Retention: what runs brought before a moment goes; their outcomes stay in rollups, and so does what was made of them.

Runs, artifacts' hashes, tests, findings, verdicts and experiments stay too: a file that is ingested once more adds
nothing, and `detect` and `report` know the history as before.
"""

import contextlib
import random
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Engine,
    MetaData,
    Table,
    delete,
    exists,
    false,
    func,
    insert,
    or_,
    select,
    text,
)
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from flakehunter.db.engine import open_database, readonly, shown_url
from flakehunter.db.locks import rollups_held
from flakehunter.db.partitions import FIRST_DAY, Partition, monthly_partitions
from flakehunter.db.queries.projects import project_ids
from flakehunter.db.queries.rollups import keep_pruned
from flakehunter.db.schema import Artifact, Failure, LogEvent, Property, Result, Run
from flakehunter.errors import DatabaseError

LOCK_WAIT_MS = 300
"""How long a lock on results is waited for at a time: whoever comes meanwhile waits behind us that long at most."""

LOCK_TRIES = 40

FAILURES_AT_ONCE = 5_000

_LOCK_NOT_AVAILABLE = "55P03"
"""PostgreSQL's lock_not_available: `lock_timeout` has passed."""

_OLD = Table(
    "old_artifacts", MetaData(), Column("id", BigInteger), Column("run_id", BigInteger), prefixes=["TEMPORARY"]
)
"""Artifacts whose rows go, for the time of the transaction."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """What went, or would go: runs that lost results, rows of each kind, whole partitions, bytes of storage."""

    before: datetime
    runs: int
    results: int
    log_events: int
    properties: int
    failures: int
    """Texts of failures that no result has any more."""
    partitions: tuple[str, ...]
    bytes_freed: int
    """Given back to the operating system; other space is used again for new rows. For a dry run: of partitions."""


def prune(url: str, before: datetime, *, dry_run: bool = False) -> Pruned:
    """Remove results, log lines and failure texts of the runs that started before a moment.

    A run without a start counts by when its artifacts were ingested. On PostgreSQL, months that are older as a whole
    are partitions, which are emptied, detached and dropped; ingest goes on meanwhile.

    Raises:
        NothingToDoError: there is no database.
        DatabaseError: it cannot be written, or a partition stays in use.
    """
    engine = open_database(url)
    try:
        with _errors(engine):
            if dry_run:
                with readonly(engine).connect() as connection:
                    return _would_go(connection, before)
            size = _size(engine)
            if engine.dialect.name == "sqlite":
                pruned = _prune_sqlite(engine, before)
            else:
                pruned = _prune_postgres(engine, before)
            return replace(pruned, bytes_freed=max(0, size - _size(engine)))
    finally:
        engine.dispose()


def _is_old(before: datetime) -> Any:
    """Return the condition for runs before the moment."""
    newer = select(Artifact.run_id).where(Artifact.ingested_at >= before)
    return (Run.started_at < before) | (Run.started_at.is_(None) & Run.id.not_in(newer))


def _would_go(connection: Connection, before: datetime) -> Pruned:
    old = select(Artifact.id).join(Run, Run.id == Artifact.run_id).where(_is_old(before))
    events, properties = (
        connection.scalar(select(func.count()).select_from(table).where(table.artifact_id.in_(old))) or 0
        for table in (LogEvent, Property)
    )
    counts = select(func.count(), func.count(Result.run_id.distinct())).where(Result.artifact_id.in_(old))
    results, runs = connection.execute(counts).one()
    stay = select(Result.failure_id).where(Result.failure_id.is_not(None), Result.artifact_id.not_in(old))
    failures = connection.scalar(select(func.count()).select_from(Failure).where(Failure.id.not_in(stay))) or 0
    names = tuple(partition.name for partition in _whole(connection, before))
    size = sum(connection.scalar(select(func.pg_total_relation_size(name))) or 0 for name in names)
    return Pruned(before, runs, results, events, properties, failures, names, size)


def _whole(connection: Connection, before: datetime) -> list[Partition]:
    """Return the partitions in which every day is older."""
    if connection.dialect.name != "postgresql":
        return []
    return [partition for partition in monthly_partitions(connection) if partition.until <= before.date()]


def _prune_sqlite(engine: Engine, before: datetime) -> Pruned:
    with engine.begin() as connection:
        pruned = _prune_rows(connection, before, [])
        used = select(Result.failure_id).where(Result.failure_id.is_not(None))
        failures = connection.execute(delete(Failure).where(Failure.id.not_in(used))).rowcount
    raw = engine.raw_connection()
    driver: Any = raw.driver_connection
    # Without room for a copy, or with somebody reading, the file keeps its size, and its free pages are used again.
    with contextlib.suppress(sqlite3.Error):
        driver.execute("VACUUM")
        driver.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    raw.close()
    return replace(pruned, failures=failures)


def _prune_postgres(engine: Engine, before: datetime) -> Pruned:
    with engine.connect() as connection:
        whole = _whole(connection, before)
        connection.commit()
        with rollups_held(connection):
            connection.execution_options(isolation_level="REPEATABLE READ")
            with connection.begin():
                # Locks before the first query: with it the transaction sees one state of the database to its end.
                for partition in whole:
                    _without_waiting_long(connection, f"LOCK TABLE {partition.name} IN SHARE ROW EXCLUSIVE MODE")
                pruned = _prune_rows(connection, before, whole)
        connection.execution_options(isolation_level="READ COMMITTED")
        failures = _prune_failures(connection)
        for partition in whole:
            # Empty already: where it is in use it stays until the next time.
            with contextlib.suppress(DBAPIError), connection.begin():
                _drop_if_empty(connection, partition)
    return replace(pruned, failures=failures)


def _prune_rows(connection: Connection, before: datetime, whole: list[Partition]) -> Pruned:
    """Put the outcomes into rollups and delete the rows, in the given transaction: each result counts once."""
    goes = _is_old(before)
    if whole:
        # A run of another time may have rows there: a wrong clock.
        goes |= Run.id.in_(select(Result.run_id).where(Result.day >= FIRST_DAY, Result.day < whole[-1].until))
    _OLD.create(connection, checkfirst=False)
    chosen = select(Artifact.id, Artifact.run_id).join(Run, Run.id == Artifact.run_id).where(goes)
    connection.execute(insert(_OLD).from_select(["id", "run_id"], chosen))
    runs = np.array(connection.scalars(select(_OLD.c.run_id).distinct()).all(), np.int64)
    old = select(_OLD.c.id)
    affected = connection.scalar(select(func.count(Result.run_id.distinct())).where(Result.artifact_id.in_(old))) or 0
    results = sum(keep_pruned(connection, name, runs) for name in project_ids(connection))
    events, properties = (
        connection.execute(delete(table).where(table.artifact_id.in_(old))).rowcount for table in (LogEvent, Property)
    )
    connection.execute(delete(Result).where(Result.artifact_id.in_(old), ~_in_partitions(whole)))
    for partition in whole:
        _without_waiting_long(connection, f"TRUNCATE {partition.name}")
    _OLD.drop(connection, checkfirst=False)
    return Pruned(before, affected, results, events, properties, 0, tuple(partition.name for partition in whole), 0)


def _drop_if_empty(connection: Connection, partition: Partition) -> None:
    """Drop a partition, unless somebody has brought old results since it was emptied."""
    # Both at once and in the order in which an ingest takes them.
    _without_waiting_long(connection, f"LOCK TABLE ONLY results, ONLY {partition.name} IN ACCESS EXCLUSIVE MODE")
    if not connection.scalar(text(f"SELECT EXISTS (SELECT FROM {partition.name})")):
        connection.execute(text(f"ALTER TABLE results DETACH PARTITION {partition.name}"))
        connection.execute(text(f"DROP TABLE {partition.name}"))


def _in_partitions(whole: list[Partition]) -> Any:
    return or_(false(), *(Result.day.between(one.first, one.until - timedelta(days=1)) for one in whole))


def _prune_failures(connection: Connection) -> int:
    """Delete the texts of failures that no result has; return how many.

    An ingest may be about to use one: it locks those it uses, and what is locked is left out here. What was used
    between the query and our lock is seen by the second look.
    """
    unused = ~exists().where(Result.failure_id == Failure.id)
    deleted = last = 0
    while True:
        query = select(Failure.id).where(Failure.id > last, unused).order_by(Failure.id).limit(FAILURES_AT_ONCE)
        with connection.begin():
            ids = connection.scalars(query.with_for_update(skip_locked=True)).all()
            deleted += connection.execute(delete(Failure).where(Failure.id.in_(ids), unused)).rowcount
        if len(ids) < FAILURES_AT_ONCE:
            return deleted
        last = ids[-1]


def _without_waiting_long(connection: Connection, statement: str) -> None:
    """Run a statement that needs a strong lock: try again and again rather than make others wait behind it.

    Raises:
        DBAPIError: after LOCK_TRIES it was still held by somebody else.
    """
    connection.execute(text(f"SET LOCAL lock_timeout = {LOCK_WAIT_MS}"))
    for left in range(LOCK_TRIES, 0, -1):
        try:
            with connection.begin_nested():
                connection.execute(text(statement))
            break
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", "") != _LOCK_NOT_AVAILABLE or left == 1:
                raise
        time.sleep(random.uniform(0.05, 0.2))
    connection.execute(text("SET LOCAL lock_timeout = 0"))


def _size(engine: Engine) -> int:
    """Return the bytes of the database on the disk."""
    if engine.dialect.name == "sqlite":
        return Path(engine.url.database or "").stat().st_size
    with engine.connect() as connection:
        return int(connection.scalar(select(func.pg_database_size(func.current_database()))) or 0)


@contextmanager
def _errors(engine: Engine) -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        cause = getattr(error, "orig", None) or error
        in_use = getattr(cause, "sqlstate", "") == _LOCK_NOT_AVAILABLE
        shown = shown_url(engine.url.render_as_string(hide_password=True))
        raise DatabaseError(
            f"cannot prune database {shown}: {' '.join(str(cause).split())}",
            url=shown,
            hint="nothing was removed: a long detect or report reads it, so run this again later"
            if in_use
            else "mend the cause and run the same command again",
        ) from error
