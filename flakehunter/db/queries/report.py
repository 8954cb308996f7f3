"""What a report reads of a whole history: runs, verdicts, and aggregates over all results.

Results are the only large table, so it is read whole just once, as aggregates per run; single rows are read here only
for failures and retries. What is read of single tests stands in `report_tests`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from flakehunter.db.queries.projects import of_project
from flakehunter.db.queries.report_tests import BAD, RESULT_COLUMNS, ResultRow
from flakehunter.db.schema import Artifact, Experiment, Finding, Project, Result, Run, TestCase, TestVerdict
from flakehunter.model import EvidenceSource, Interval, Mechanism, TestIdentity, Verdict

FIRST_YEAR = 1990
"""No CI run is older."""


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


def freshness(connection: Connection, project: str | None) -> Freshness:
    """Say how many tests and verdicts there are, and which is older: the verdicts or the newest evidence."""

    def ask(query: Any, table: type[Any]) -> Any:
        return connection.execute(of_project(query, table, project))

    count, oldest = ask(select(func.count(TestVerdict.id), func.min(TestVerdict.decided_at)), TestVerdict).one()
    # Findings of the source `text` are left out: `detect` makes those itself.
    found = select(func.max(Finding.created_at)).where(Finding.source != EvidenceSource.TEXT)
    moments = [
        ask(select(func.max(Artifact.ingested_at)), Artifact).scalar(),
        ask(select(func.max(Experiment.finished_at)), Experiment).scalar(),
        ask(found, Finding).scalar(),
    ]
    return Freshness(
        tests=ask(select(func.count(TestCase.id)), TestCase).scalar_one(),
        verdicts=count,
        newest_evidence=max((moment for moment in moments if moment is not None), default=None),
        oldest_verdict=oldest,
    )


def runs(connection: Connection, project: str | None) -> list[RunRow]:
    """Return all runs in the order they were stored."""
    query = select(
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
    found = [RunRow(*row) for row in connection.execute(of_project(query, Run, project).order_by(Run.id))]
    return [replace(run, started_at=None) if _bogus(run.started_at) else run for run in found]


def _bogus(moment: datetime | None) -> bool:
    """Whether a moment is no moment: the zero of .NET (year 1), of Unix (1970) or of FAT (1980), for "not known"."""
    return moment is not None and moment.year < FIRST_YEAR


def run_totals(connection: Connection) -> dict[int, RunTotals]:
    """Return, for each run id, how many results it has and how many seconds they took: one pass over all results."""
    query = select(Result.run_id, func.count(), func.sum(Result.duration_s)).group_by(Result.run_id)
    return {run_id: RunTotals(count, float(seconds or 0.0)) for run_id, count, seconds in connection.execute(query)}


def failed_or_retried(connection: Connection) -> list[ResultRow]:
    """Return every attempt that failed, errored, or was not the first within its run, in the order they were stored."""
    query = select(*RESULT_COLUMNS).where(Result.outcome.in_(BAD) | (Result.attempt > 1)).order_by(Result.id)
    return [ResultRow(*row) for row in connection.execute(query)]


def verdicts(connection: Connection, project: str | None) -> list[VerdictRow]:
    """Return the verdicts of all tests that are not simply healthy, by label."""
    query = select(
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
    ).where(TestVerdict.verdict != Verdict.HEALTHY)
    rows: Any = connection.execute(of_project(query.select_from(TestVerdict), TestVerdict, project))
    found = [
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
        for row in rows
    ]
    return sorted(found, key=lambda row: (row.identity.label, row.identity.key))


def verdict_counts(connection: Connection, project: str | None) -> dict[Verdict, int]:
    """Return how many tests have each verdict."""
    query = select(TestVerdict.verdict, func.count(TestVerdict.id)).group_by(TestVerdict.verdict)
    return {row[0]: row[1] for row in connection.execute(of_project(query, TestVerdict, project))}


def test_places(connection: Connection, project: str | None) -> list[tuple[int, str, str, str]]:
    """Return (id, file, class name, framework) of every test."""
    query = select(TestCase.id, TestCase.file, TestCase.classname, TestCase.framework).order_by(TestCase.id)
    return [tuple(row) for row in connection.execute(of_project(query, TestCase, project))]
