"""The database as it was at a moment: a copy of what had happened by then."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, insert, select

from flakehunter.db.engine import open_database, readonly
from flakehunter.db.schema import (
    Artifact,
    Experiment,
    Failure,
    Finding,
    LogEvent,
    Project,
    Result,
    Run,
    TestCase,
)
from flakehunter.model import EvidenceSource

ROWS = 5_000
"""Rows read and written at a time."""


def copy_until(engine: Engine, path: Path, moment: datetime) -> None:
    """Write a new SQLite database at `path` with what `engine`'s had at `moment`; verdicts are left out.

    Runs count by when they started; one without a moment is older than all. Experiments and findings count by when they
    were made. Log events come along, trials and the details of processes do not: only `detect` reads the copy.

    Raises:
        DatabaseError: one of the two cannot be opened.
    """
    happened = select(Run.id).where((Run.started_at <= moment) | Run.started_at.is_(None))
    chosen: Mapping[Any, Any] = {
        Project: None,
        Run: Run.id.in_(happened),
        Artifact: Artifact.run_id.in_(happened),
        TestCase: None,
        Failure: Failure.id.in_(select(Result.failure_id).where(Result.run_id.in_(happened))),
        Result: Result.run_id.in_(happened),
        LogEvent: LogEvent.run_id.in_(happened),
        Finding: (Finding.created_at <= moment) & (Finding.source != EvidenceSource.TEXT),
        Experiment: Experiment.finished_at <= moment,
    }
    copy = open_database(f"sqlite:///{path}", create=True)
    try:
        with readonly(engine).connect() as source, copy.begin() as target:
            for table, condition in chosen.items():
                for rows in _chunks(source, table, condition):
                    target.execute(insert(table), rows)
    finally:
        copy.dispose()


def _chunks(source: Connection, table: Any, condition: Any) -> Iterator[list[dict[str, Any]]]:
    query = select(*table.__table__.columns).order_by(table.id)
    if condition is not None:
        query = query.where(condition)
    for rows in source.execution_options(yield_per=ROWS).execute(query).partitions():
        yield [dict(row._mapping) for row in rows]
