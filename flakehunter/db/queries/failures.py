"""The texts of failures and the log lines around them, a bounded number for each test."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Connection, cast, func, select

from flakehunter.db.queries.history import BAD, IDS_AT_ONCE
from flakehunter.db.queries.projects import of_project
from flakehunter.db.schema import Artifact, Failure, LogEvent, Result, Run
from flakehunter.model import LogEventKind

TEXTS_PER_FINGERPRINT = 3
"""Different texts of one fingerprint that are read for a test, newest first; they differ in pids and the like."""

EVENT_RUNS = 60
"""Newest runs of a test whose log lines are read."""


@dataclass(frozen=True, slots=True)
class FailureText:
    """How a test failed, and how often in this way."""

    test_id: int
    failure_id: int
    fingerprint: bytes
    count: int
    """Failures of the test with this fingerprint and this text."""
    alike: int
    """Failures of the test with this fingerprint, whatever the text."""
    last_run_id: int
    type: str
    message: str
    detail: str


@dataclass(frozen=True, slots=True)
class Event:
    """A stored log line that belongs to a test."""

    id: int
    test_id: int | None
    run_id: int
    path: str
    line: int
    time: datetime | None
    kind: LogEventKind
    pid: int | None
    text: str


def failure_texts(
    connection: Connection, project: str, leave_out: Collection[int], *, test_id: int | None = None
) -> list[FailureText]:
    """Return the newest texts of each fingerprint of each test, runs of `leave_out` not counted."""
    columns = select(
        Result.test_case_id.label("test"),
        Failure.id.label("failure"),
        Failure.fingerprint,
        func.count().label("count"),
        # A sum of whole numbers is a decimal fraction on PostgreSQL.
        cast(func.sum(func.count()).over(partition_by=(Result.test_case_id, Failure.fingerprint)), BigInteger).label(
            "alike"
        ),
        func.max(Result.run_id).label("last_run"),
        func.row_number()
        .over(
            partition_by=(Result.test_case_id, Failure.fingerprint),
            order_by=func.max(Result.run_id).desc(),
        )
        .label("place"),
    )
    grouped = _failed(columns, project, leave_out).group_by(Result.test_case_id, Failure.id, Failure.fingerprint)
    if test_id is not None:
        grouped = grouped.where(Result.test_case_id == test_id)
    some = grouped.subquery()
    query = (
        select(some.c.test, some.c.failure, some.c.fingerprint, some.c.count, some.c.alike, some.c.last_run)
        .add_columns(Failure.type, Failure.message, Failure.detail)
        .join(Failure, Failure.id == some.c.failure)
        .where(some.c.place <= TEXTS_PER_FINGERPRINT)
        .order_by(some.c.test, some.c.last_run.desc(), some.c.failure)
    )
    return [FailureText(*row) for row in connection.execute(query).all()]


def _failed(columns: Any, project: str, leave_out: Collection[int]) -> Any:
    """Return the query for `columns` of the failed results of `project` that have a text, runs of `leave_out` not."""
    query = of_project(columns.join(Failure, Failure.id == Result.failure_id), Result, project)
    return query.where(BAD, Result.failure_id.is_not(None), Result.run_id.not_in(list(leave_out)))


def log_events(connection: Connection, test_ids: Collection[int], leave_out: Collection[int]) -> list[Event]:
    """Return the log lines tied to the tests, of the newest runs of each, in the order of run and line."""
    wanted = sorted(test_ids)
    events: list[Event] = []
    for start in range(0, len(wanted), IDS_AT_ONCE):
        place = func.dense_rank().over(partition_by=LogEvent.test_case_id, order_by=LogEvent.run_id.desc())
        some = (
            select(LogEvent.id, place.label("place"))
            .where(LogEvent.test_case_id.in_(wanted[start : start + IDS_AT_ONCE]))
            .where(LogEvent.run_id.not_in(list(leave_out)))
            .subquery()
        )
        query = (
            select(
                LogEvent.id,
                LogEvent.test_case_id,
                LogEvent.run_id,
                Artifact.path,
                LogEvent.line,
                LogEvent.time,
                LogEvent.kind,
                LogEvent.pid,
                LogEvent.text,
            )
            .join(some, some.c.id == LogEvent.id)
            .join(Artifact, Artifact.id == LogEvent.artifact_id)
            .where(some.c.place <= EVENT_RUNS)
            .order_by(LogEvent.test_case_id, LogEvent.run_id, LogEvent.artifact_id, LogEvent.line)
        )
        events += [Event(*row) for row in connection.execute(query)]
    return events


def run_names(connection: Connection, run_ids: Collection[int]) -> dict[int, str]:
    """Return what users call the runs: `external id-attempt job at commit`."""
    wanted = sorted(run_ids)
    names: dict[int, str] = {}
    for start in range(0, len(wanted), IDS_AT_ONCE):
        query = select(Run.id, Run.external_id, Run.attempt, Run.job, Run.commit_sha).where(
            Run.id.in_(wanted[start : start + IDS_AT_ONCE])
        )
        for id_, external, attempt, job, commit in connection.execute(query):
            where = " ".join(part for part in (f"{external}-{attempt}" if external else "", job) if part)
            names[id_] = f"{where or f'run {id_}'}{f' at {commit[:12]}' if commit else ''}"
    return names
