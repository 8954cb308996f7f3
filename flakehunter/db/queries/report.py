"""What a report reads: runs, aggregates over all results, and everything stored of the flagged tests.

Results are the only large table, so it is read whole just once, as aggregates per run; single rows are read only for
failures and for flagged tests.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from flakehunter.db.schema import (
    Artifact,
    Experiment,
    Failure,
    Finding,
    LogEvent,
    ProcessExit,
    Project,
    Result,
    Run,
    TestCase,
    TestVerdict,
    Trial,
)
from flakehunter.model import (
    EvidenceSource,
    Interval,
    LogEventKind,
    Mechanism,
    Outcome,
    ReproVerdict,
    TestIdentity,
    Verdict,
)

BAD = (Outcome.FAILED, Outcome.ERRORED)
CHUNK = 500
"""Test cases per query: SQLite took at most 999 parameters for a long time."""


@dataclass(frozen=True, slots=True)
class RunRow:
    """One attempt of one job."""

    id: int
    project: str
    commit: str
    branch: str
    workflow: str
    job: str
    attempt: int
    external_id: str
    started_at: datetime | None
    runner: str
    os: str


@dataclass(frozen=True, slots=True)
class RunTotals:
    """All results of one run; `seconds` is the sum of their durations."""

    results: int
    seconds: float


@dataclass(frozen=True, slots=True)
class VerdictRow:
    """A test case and what `detect` said last of it."""

    test_id: int
    identity: TestIdentity
    framework: str
    file: str
    line: int | None
    verdict: Verdict
    p_flaky: float
    rate: Interval
    mechanism: Mechanism | None
    p_mechanism: float | None
    since_commit: str
    evidence: Sequence[Any]
    """As stored: objects with `source`, `text`, `weight` and `ref`."""


@dataclass(frozen=True, slots=True)
class ResultRow:
    """One attempt of a test case in a run; `duration_s` in seconds."""

    test_id: int
    run_id: int
    attempt: int
    outcome: Outcome
    duration_s: float | None
    failure_id: int | None


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
class Freshness:
    """Whether the verdicts know the newest results."""

    tests: int
    verdicts: int
    newest_evidence: datetime | None
    """When the last artifact was ingested, the last experiment ended, or the last finding of another kind was made."""
    oldest_verdict: datetime | None

    @property
    def missing(self) -> bool:
        """Whether `detect` has never run on tests that are there."""
        return self.tests > 0 and self.verdicts == 0

    @property
    def stale(self) -> bool:
        """Whether something was learnt after the verdicts were decided."""
        if self.newest_evidence is None or self.oldest_verdict is None:
            return False
        return self.newest_evidence > self.oldest_verdict


def _of_project(query: Any, project: str | None) -> Any:
    return query if project is None else query.where(Project.name == project)


def projects(connection: Connection) -> list[str]:
    """Return the names of all projects, sorted."""
    return sorted(connection.execute(select(Project.name)).scalars())


def freshness(connection: Connection, project: str | None) -> Freshness:
    """Say how many tests and verdicts there are, and which is older: the verdicts or the newest evidence."""
    tests = select(func.count()).select_from(TestCase).join(Project, Project.id == TestCase.project_id)
    verdicts = (
        select(func.count(), func.min(TestVerdict.decided_at))
        .select_from(TestVerdict)
        .join(TestCase, TestCase.id == TestVerdict.test_case_id)
        .join(Project, Project.id == TestCase.project_id)
    )
    artifacts = (
        select(func.max(Artifact.ingested_at))
        .join(Run, Run.id == Artifact.run_id)
        .join(Project, Project.id == Run.project_id)
    )
    ended = select(func.max(Experiment.finished_at)).join(Project, Project.id == Experiment.project_id)
    found = (
        select(func.max(Finding.created_at))
        .join(TestCase, TestCase.id == Finding.test_case_id)
        .join(Project, Project.id == TestCase.project_id)
        .where(Finding.source != EvidenceSource.TEXT)  # `detect` makes those itself
    )
    moments = [connection.execute(_of_project(query, project)).scalar() for query in (artifacts, ended, found)]
    count, oldest = connection.execute(_of_project(verdicts, project)).one()
    return Freshness(
        tests=connection.execute(_of_project(tests, project)).scalar_one(),
        verdicts=count,
        newest_evidence=max((moment for moment in moments if moment is not None), default=None),
        oldest_verdict=oldest,
    )


def runs(connection: Connection, project: str | None) -> list[RunRow]:
    """Return all runs in the order they were stored."""
    query = (
        select(
            Run.id,
            Project.name,
            Run.commit_sha,
            Run.branch,
            Run.workflow,
            Run.job,
            Run.attempt,
            Run.external_id,
            Run.started_at,
            Run.runner,
            Run.os,
        )
        .join(Project, Project.id == Run.project_id)
        .order_by(Run.id)
    )
    return [RunRow(*row) for row in connection.execute(_of_project(query, project))]


def run_totals(connection: Connection) -> dict[int, RunTotals]:
    """Return, for each run id, how many results it has and how many seconds they took: one pass over all results."""
    query = select(Result.run_id, func.count(), func.sum(Result.duration_s)).group_by(Result.run_id)
    return {run_id: RunTotals(count, float(seconds or 0.0)) for run_id, count, seconds in connection.execute(query)}


_RESULT = (
    Result.test_case_id,
    Result.run_id,
    Result.attempt,
    Result.outcome,
    Result.duration_s,
    Result.failure_id,
)


def bad_results(connection: Connection) -> list[ResultRow]:
    """Return every failed or errored attempt of every test, in the order they were stored."""
    query = select(*_RESULT).where(Result.outcome.in_(BAD)).order_by(Result.id)
    return [ResultRow(*row) for row in connection.execute(query)]


def verdicts(connection: Connection, project: str | None) -> list[VerdictRow]:
    """Return the verdicts of all tests that are not simply healthy, by label."""
    query = (
        select(
            TestCase.id,
            Project.name,
            TestCase.suite,
            TestCase.classname,
            TestCase.name,
            TestCase.framework,
            TestCase.file,
            TestCase.line,
            TestVerdict.verdict,
            TestVerdict.p_flaky,
            TestVerdict.flake_rate,
            TestVerdict.flake_rate_low,
            TestVerdict.flake_rate_high,
            TestVerdict.mechanism,
            TestVerdict.p_mechanism,
            TestVerdict.since_commit,
            TestVerdict.evidence,
        )
        .join(TestCase, TestCase.id == TestVerdict.test_case_id)
        .join(Project, Project.id == TestCase.project_id)
        .where(TestVerdict.verdict != Verdict.HEALTHY)
    )
    found = []
    for row in connection.execute(_of_project(query, project)):
        found.append(
            VerdictRow(
                row[0],
                TestIdentity(*row[1:5]),
                framework=row[5],
                file=row[6],
                line=row[7],
                verdict=row[8],
                p_flaky=row[9],
                rate=Interval(*row[10:13]),
                mechanism=row[13],
                p_mechanism=row[14],
                since_commit=row[15],
                evidence=row[16],
            )
        )
    return sorted(found, key=lambda row: (row.identity.label, row.identity.key))


def verdict_counts(connection: Connection, project: str | None) -> dict[Verdict, int]:
    """Return how many tests have each verdict."""
    query = (
        select(TestVerdict.verdict, func.count())
        .join(TestCase, TestCase.id == TestVerdict.test_case_id)
        .join(Project, Project.id == TestCase.project_id)
        .group_by(TestVerdict.verdict)
    )
    return {row[0]: row[1] for row in connection.execute(_of_project(query, project))}


def _chunks(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(ids), CHUNK):
        yield ids[start : start + CHUNK]


def labels(connection: Connection, test_ids: Sequence[int]) -> dict[int, TestIdentity]:
    """Return who the tests are."""
    found = {}
    for chunk in _chunks(test_ids):
        query = (
            select(TestCase.id, Project.name, TestCase.suite, TestCase.classname, TestCase.name)
            .join(Project, Project.id == TestCase.project_id)
            .where(TestCase.id.in_(chunk))
        )
        found.update({row[0]: TestIdentity(*row[1:]) for row in connection.execute(query)})
    return found


def retried_results(connection: Connection) -> list[ResultRow]:
    """Return every attempt of a test after its first within a run, in the order they were stored."""
    query = select(*_RESULT).where(Result.attempt > 1).order_by(Result.id)
    return [ResultRow(*row) for row in connection.execute(query)]


def test_places(connection: Connection, project: str | None) -> list[tuple[int, str, str, str]]:
    """Return (id, file, class name, framework) of every test."""
    query = (
        select(TestCase.id, TestCase.file, TestCase.classname, TestCase.framework)
        .join(Project, Project.id == TestCase.project_id)
        .order_by(TestCase.id)
    )
    return [tuple(row) for row in connection.execute(_of_project(query, project))]


def results_of(connection: Connection, test_ids: Sequence[int]) -> list[ResultRow]:
    """Return every attempt of the given tests, in the order they were stored."""
    found: list[ResultRow] = []
    for chunk in _chunks(test_ids):
        query = select(*_RESULT).where(Result.test_case_id.in_(chunk)).order_by(Result.id)
        found += [ResultRow(*row) for row in connection.execute(query)]
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
        .join(Project, Project.id == Experiment.project_id)
        .where(Experiment.finished_at.is_not(None))
        .order_by(Experiment.id)
    )
    return [ExperimentRow(*row) for row in connection.execute(_of_project(query, project))]


def trial_counts(connection: Connection, experiment_id: int) -> list[tuple[str, str, str, str, int]]:
    """Return (arm, stressor, group-kill backend, outcome, count) of an experiment's trials."""
    query = (
        select(Trial.arm, Trial.stressor, Trial.group_kill, Trial.outcome, func.count())
        .where(Trial.experiment_id == experiment_id)
        .group_by(Trial.arm, Trial.stressor, Trial.group_kill, Trial.outcome)
        .order_by(Trial.arm, Trial.stressor, Trial.group_kill, Trial.outcome)
    )
    return [(row[0], row[1], row[2], row[3].value, row[4]) for row in connection.execute(query)]


@dataclass(frozen=True, slots=True)
class DeathRow:
    """A process of a trial that ended by itself; `time_ms` as in `ProcessExit.time_to_exit_ms`."""

    test_id: int
    stressor: str
    group_kill: str
    time_ms: float


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
