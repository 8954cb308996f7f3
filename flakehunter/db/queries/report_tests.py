"""What a report reads of given tests: attempts, failures, log lines, findings, experiments and times to death."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, case, func, select

from flakehunter.db.queries.projects import of_project, to_project
from flakehunter.db.schema import (
    Artifact,
    Experiment,
    Failure,
    Finding,
    LogEvent,
    ProcessExit,
    Project,
    Result,
    TestCase,
    Trial,
)
from flakehunter.model import EvidenceSource, LogEventKind, Mechanism, Outcome, ReproVerdict, TestIdentity

BAD = (Outcome.FAILED, Outcome.ERRORED)
CHUNK = 500
"""Test cases per query: SQLite took at most 999 parameters for a long time."""


@dataclass(frozen=True, slots=True)
class ResultRow:
    """One attempt of a test case in a run; `duration_s` in seconds."""

    test_id: int
    run_id: int
    attempt: int
    outcome: Outcome
    duration_s: float | None
    failure_id: int | None


RESULT_COLUMNS = (
    Result.test_case_id,
    Result.run_id,
    Result.attempt,
    Result.outcome,
    Result.duration_s,
    Result.failure_id,
)
"""The columns of a `ResultRow`."""


@dataclass(frozen=True, slots=True)
class Tries:
    """Attempts of some tests in a run, without those that were skipped, and how many of them failed."""

    failures: int
    attempts: int


@dataclass(frozen=True, slots=True)
class FailureRow:
    """The text of a failure."""

    id: int
    fingerprint: bytes
    type: str
    message: str
    detail: str


@dataclass(frozen=True, slots=True)
class LogEventRow:
    """A log line that belongs to a test."""

    test_id: int
    run_id: int
    line: int
    kind: LogEventKind
    pid: int | None
    text: str
    path: str


@dataclass(frozen=True, slots=True)
class FindingRow:
    """Evidence that points at a line of source, or at a trace."""

    test_id: int
    mechanism: Mechanism
    source: str
    file: str
    line: int | None
    score: float
    evidence: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ExperimentRow:
    """One invocation of `repro`; `summary` is its JSON document."""

    id: int
    test_id: int | None
    command: str
    verdict: ReproVerdict | None
    mechanism: Mechanism | None
    started_at: datetime
    finished_at: datetime | None
    summary: Mapping[str, Any]
    machine: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class DeathRow:
    """A process of a trial that ended by itself; `time_ms` as in `ProcessExit.time_to_exit_ms`."""

    test_id: int
    stressor: str
    group_kill: str
    time_ms: float


def _chunks(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(ids), CHUNK):
        yield ids[start : start + CHUNK]


def labels(connection: Connection, test_ids: Sequence[int]) -> dict[int, TestIdentity]:
    """Return who the tests are."""
    found = {}
    for chunk in _chunks(test_ids):
        columns = select(TestCase.id, Project.name, TestCase.suite, TestCase.classname, TestCase.name)
        query = to_project(columns, TestCase).where(TestCase.id.in_(chunk))
        found.update({row[0]: TestIdentity(*row[1:]) for row in connection.execute(query)})
    return found


def results_of(connection: Connection, test_ids: Sequence[int]) -> list[ResultRow]:
    """Return every attempt of the given tests, in the order they were stored."""
    found: list[ResultRow] = []
    for chunk in _chunks(test_ids):
        query = select(*RESULT_COLUMNS).where(Result.test_case_id.in_(chunk)).order_by(Result.id)
        found += [ResultRow(*row) for row in connection.execute(query)]
    return found


def tries_by_run(connection: Connection, test_ids: Sequence[int]) -> dict[int, Tries]:
    """Return, by run id, how often the given tests were tried in it and failed."""
    found: dict[int, Tries] = {}
    for chunk in _chunks(test_ids):
        query = (
            select(Result.run_id, func.sum(case((Result.outcome.in_(BAD), 1), else_=0)), func.count())
            .where(Result.test_case_id.in_(chunk), Result.outcome != Outcome.SKIPPED)
            .group_by(Result.run_id)
        )
        for run, bad, count in connection.execute(query):
            known = found.get(run, Tries(0, 0))
            found[run] = Tries(known.failures + bad, known.attempts + count)
    return found


def failures(connection: Connection, failure_ids: Sequence[int]) -> dict[int, FailureRow]:
    """Return the texts of failures by id."""
    found = {}
    for chunk in _chunks(failure_ids):
        query = select(Failure.id, Failure.fingerprint, Failure.type, Failure.message, Failure.detail)
        found.update({row[0]: FailureRow(*row) for row in connection.execute(query.where(Failure.id.in_(chunk)))})
    return found


def log_events_of(connection: Connection, test_ids: Sequence[int]) -> list[LogEventRow]:
    """Return the log lines that belong to the given tests, in the order of runs and lines."""
    found: list[LogEventRow] = []
    for chunk in _chunks(test_ids):
        query = (
            select(
                LogEvent.test_case_id,
                LogEvent.run_id,
                LogEvent.line,
                LogEvent.kind,
                LogEvent.pid,
                LogEvent.text,
                Artifact.path,
            )
            .join(Artifact, Artifact.id == LogEvent.artifact_id)
            .where(LogEvent.test_case_id.in_(chunk))
            .order_by(LogEvent.run_id, LogEvent.artifact_id, LogEvent.line, LogEvent.id)
        )
        rows: Any = connection.execute(query)
        found += [LogEventRow(*row) for row in rows]
    return found


def findings_of(connection: Connection, test_ids: Sequence[int]) -> list[FindingRow]:
    """Return the findings of other sources than text that belong to the given tests, heaviest first."""
    found: list[FindingRow] = []
    for chunk in _chunks(test_ids):
        query = select(
            Finding.test_case_id,
            Finding.mechanism,
            Finding.source,
            Finding.file,
            Finding.line,
            Finding.score,
            Finding.evidence,
        ).where(Finding.test_case_id.in_(chunk), Finding.source != EvidenceSource.TEXT)
        rows: Any = connection.execute(query)
        found += [FindingRow(*row) for row in rows]
    return sorted(found, key=lambda row: (-row.score, row.mechanism, row.source, row.file, row.line or 0))


def experiments(connection: Connection, project: str | None) -> list[ExperimentRow]:
    """Return all experiments that came to an end, oldest first."""
    query = (
        select(
            Experiment.id,
            Experiment.test_case_id,
            Experiment.command,
            Experiment.verdict,
            Experiment.mechanism,
            Experiment.started_at,
            Experiment.finished_at,
            Experiment.summary,
            Experiment.machine,
        )
        .where(Experiment.finished_at.is_not(None))
        .order_by(Experiment.id)
    )
    return [ExperimentRow(*row) for row in connection.execute(of_project(query, Experiment, project))]


def trial_counts(connection: Connection, experiment_id: int) -> list[tuple[str, str, str, str, int]]:
    """Return (arm, stressor, group-kill backend, outcome, count) of an experiment's trials."""
    query = (
        select(Trial.arm, Trial.stressor, Trial.group_kill, Trial.outcome, func.count())
        .where(Trial.experiment_id == experiment_id)
        .group_by(Trial.arm, Trial.stressor, Trial.group_kill, Trial.outcome)
        .order_by(Trial.arm, Trial.stressor, Trial.group_kill, Trial.outcome)
    )
    return [(row[0], row[1], row[2], row[3].value, row[4]) for row in connection.execute(query)]


def death_times(connection: Connection, test_ids: Sequence[int]) -> list[DeathRow]:
    """Return the times to death that trials of the given tests have measured, survivors left out."""
    found: list[DeathRow] = []
    for chunk in _chunks(test_ids):
        query = (
            select(Experiment.test_case_id, Trial.stressor, Trial.group_kill, ProcessExit.time_to_exit_ms)
            .join(Trial, Trial.id == ProcessExit.trial_id)
            .join(Experiment, Experiment.id == Trial.experiment_id)
            .where(
                Experiment.test_case_id.in_(chunk),
                ProcessExit.time_to_exit_ms.is_not(None),
                ProcessExit.survived.is_(False),
            )
            .order_by(ProcessExit.id)
        )
        rows: Any = connection.execute(query)
        found += [DeathRow(*row) for row in rows]
    return found
