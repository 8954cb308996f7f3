"""The tables, as SQLAlchemy 2 typed classes; `alembic/versions` creates the same ones, and a test says so."""

import enum
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from flakehunter.model import (
    EvidenceSource,
    LogEventKind,
    Mechanism,
    Outcome,
    ReproVerdict,
    TrialOutcome,
    Verdict,
)

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
"""Names of constraints, so that migrations can name what they drop on every database."""


class UtcDateTime(TypeDecorator[datetime]):
    """Aware datetimes in UTC: SQLite has no zones, so they are stored without one and come back with it."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive moments: nobody could say which instant they are."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"naive datetime {value!r} for a UTC column")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give the zone back."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Word(TypeDecorator[enum.StrEnum]):
    """A word of `flakehunter.model`, stored as its text: a new word needs no migration."""

    impl = String(32)
    cache_ok = True

    def __init__(self, words: type[enum.StrEnum]) -> None:
        super().__init__()
        self.words = words

    def process_bind_param(self, value: enum.StrEnum | None, dialect: Dialect) -> str | None:
        """Accept only words of the enum."""
        return None if value is None else self.words(value).value

    def process_result_value(self, value: str | None, dialect: Dialect) -> enum.StrEnum | None:
        """Give the enum member back."""
        return None if value is None else self.words(value)


RowId = BigInteger().with_variant(Integer, "sqlite")
"""64-bit keys; SQLite's rowid alias must be spelled INTEGER."""

Document = JSON().with_variant(JSONB, "postgresql")


class Base(DeclarativeBase):
    """Base of all tables."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {datetime: UtcDateTime, float: Float, dict[str, Any]: Document, list[Any]: Document}  # noqa: RUF012


class Project(Base):
    """A repository or product whose CI history is kept."""

    __tablename__ = "projects"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    name: Mapped[str] = mapped_column(String(255), unique=True)


class Run(Base):
    """One attempt of one job of a CI run, at one commit.

    Columns that name a run are never NULL (empty when unknown), so that the same run is found again.
    """

    __tablename__ = "runs"
    __table_args__ = (
        UniqueConstraint("project_id", "provider", "external_id", "workflow", "job", "attempt"),
        Index(None, "commit_sha"),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    provider: Mapped[str] = mapped_column(String(64), default="")
    external_id: Mapped[str] = mapped_column(String(255), default="")
    workflow: Mapped[str] = mapped_column(String(255), default="")
    job: Mapped[str] = mapped_column(String(255), default="")
    attempt: Mapped[int] = mapped_column(default=1)
    commit_sha: Mapped[str] = mapped_column(String(64), default="")
    branch: Mapped[str] = mapped_column(String(255), default="")
    runner: Mapped[str] = mapped_column(String(255), default="")
    os: Mapped[str] = mapped_column(String(64), default="")
    cpus: Mapped[int | None]
    parallel: Mapped[int | None]
    """How many tests run at a time."""
    time_limit_s: Mapped[float | None]
    """How long one test may take."""
    started_at: Mapped[datetime | None]


class Artifact(Base):
    """One ingested file; its SHA-256 is unique per run, so a second ingest adds nothing."""

    __tablename__ = "artifacts"
    __table_args__ = (UniqueConstraint("run_id", "sha256"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"))
    sha256: Mapped[bytes] = mapped_column(LargeBinary(32))
    path: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(String(32))
    """`junit` or `log`."""
    format: Mapped[str] = mapped_column(String(64), default="")
    """The dialect or log format, such as `pytest` or `vitest`."""
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    ingested_at: Mapped[datetime]


class ArtifactIssue(Base):
    """What was wrong with a file, and where; a rejected file has an artifact row with issues and no results."""

    __tablename__ = "artifact_issues"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    artifact_id: Mapped[int] = mapped_column(ForeignKey("artifacts.id", ondelete="CASCADE"), index=True)
    position: Mapped[str] = mapped_column(String(64), default="")
    """Where in the file, such as `line 12, column 3`."""
    reason: Mapped[str] = mapped_column(Text)
    rejected: Mapped[bool] = mapped_column(default=True)
    """Whether the file was refused; otherwise it was ingested in spite of the issue."""


class TestCase(Base):
    """A test case across all runs."""

    __test__ = False  # the name makes pytest think that this is a test class
    __tablename__ = "test_cases"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"), index=True)
    key: Mapped[bytes] = mapped_column(LargeBinary(16), unique=True)
    """`TestIdentity.key`."""
    suite: Mapped[str] = mapped_column(Text, default="")
    classname: Mapped[str] = mapped_column(Text, default="")
    name: Mapped[str] = mapped_column(Text)
    framework: Mapped[str] = mapped_column(String(64), default="")
    file: Mapped[str] = mapped_column(Text, default="")
    line: Mapped[int | None]


class Failure(Base):
    """The text of a failure, stored once however often it happened."""

    __tablename__ = "failures"
    __table_args__ = (UniqueConstraint("fingerprint", "detail_hash"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary(16))
    """Hash of type and message with pids, ports, times, paths and the like masked."""
    detail_hash: Mapped[bytes] = mapped_column(LargeBinary(16))
    """Hash of the unmasked type, message and detail."""
    type: Mapped[str] = mapped_column(Text, default="")
    message: Mapped[str] = mapped_column(Text, default="")
    detail: Mapped[str] = mapped_column(Text, default="")


UNDATED = date(1900, 1, 1)
"""Day of results on PostgreSQL that nobody gave one."""


def _no_day(context: Any) -> date | None:
    return UNDATED if context.dialect.name == "postgresql" else None


class Result(Base):
    """Outcome of one attempt of a test case in a run; kept narrow, since there are millions.

    Without foreign keys, which make COPY take three times as long: what results refer to is written in the same
    transaction, and stays; texts of failures, which `db prune` removes, only once no result has them. On PostgreSQL
    results are partitioned by month and have no primary key, which nothing would ask for: see docs/postgresql.md. A
    first large ingest leaves the index by test out until its end: see `db.indexes`.
    """

    __tablename__ = "results"
    __table_args__ = (
        PrimaryKeyConstraint("id").ddl_if(dialect="sqlite"),
        Index(None, "test_case_id", "run_id"),
        Index(None, "artifact_id"),
        Index(
            "ix_results_failed",
            *("test_case_id", "failure_id", "run_id", "outcome"),
            sqlite_where=text("failure_id IS NOT NULL"),
            postgresql_where=text("failure_id IS NOT NULL"),
        ),
        {"postgresql_partition_by": "RANGE (day)"},
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    test_case_id: Mapped[int] = mapped_column(RowId)
    run_id: Mapped[int] = mapped_column(RowId)
    """Without an index of its own, which would cost an insert a fifth of its time: ask by the run's artifacts."""
    artifact_id: Mapped[int] = mapped_column(RowId)
    attempt: Mapped[int] = mapped_column(default=1)
    """1-based, within the run."""
    day: Mapped[date | None] = mapped_column(default=_no_day)
    """When the run started, or when it was ingested; PostgreSQL's partition key, empty on SQLite, which has none."""
    outcome: Mapped[Outcome] = mapped_column(Word(Outcome))
    duration_s: Mapped[float | None]
    failure_id: Mapped[int | None] = mapped_column(RowId)


class Rollup(Base):
    """Results of one project, packed: those of its artifacts after the rollup before, up to `upto`."""

    __tablename__ = "rollups"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"), index=True)
    upto: Mapped[int] = mapped_column(BigInteger)
    """Highest id of an artifact in it."""
    stamp: Mapped[str] = mapped_column(String(64))
    """Number and size of all artifacts up to `upto` when it was made: what else they are now, it is stale."""
    results: Mapped[int]
    pruned: Mapped[bool] = mapped_column(default=False)
    """Whether the rows of its results are gone: it is all that is left of them, whatever the artifacts are now."""
    data: Mapped[bytes] = mapped_column(LargeBinary)
    """Test case ids, run ids and outcomes, packed by `queries.rollups` and compressed with zlib."""


class LogEvent(Base):
    """A log line about signals, pids, kills, time-outs or jobs, tied to the test it belongs to where known."""

    __tablename__ = "log_events"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    artifact_id: Mapped[int] = mapped_column(ForeignKey("artifacts.id", ondelete="CASCADE"), index=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"))
    test_case_id: Mapped[int | None] = mapped_column(ForeignKey("test_cases.id", ondelete="SET NULL"), index=True)
    line: Mapped[int]
    """1-based."""
    time: Mapped[datetime | None]
    kind: Mapped[LogEventKind] = mapped_column(Word(LogEventKind))
    pid: Mapped[int | None]
    text: Mapped[str] = mapped_column(Text)


class PropertySet(Base):
    """The `<properties>` of one element, stored once however many elements have the same: Surefire repeats sixty."""

    __tablename__ = "property_sets"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    hash: Mapped[bytes] = mapped_column(LargeBinary(16), unique=True)
    """Hash of the entries."""
    entries: Mapped[list[Any]]
    """Pairs of name and value in the order of the file; a name may come twice, and `attachment` is a path."""


class Property(Base):
    """Which test, attempt or suite of an artifact has a set of properties."""

    __tablename__ = "properties"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    artifact_id: Mapped[int] = mapped_column(ForeignKey("artifacts.id", ondelete="CASCADE"), index=True)
    test_case_id: Mapped[int | None] = mapped_column(ForeignKey("test_cases.id", ondelete="CASCADE"), index=True)
    """NULL where a suite has them."""
    attempt: Mapped[int | None]
    """1-based, within the run; the last attempt that the element tells of."""
    suite: Mapped[str] = mapped_column(Text, default="")
    """Name of the suite that has them; empty where a test has them, or the whole file."""
    set_id: Mapped[int] = mapped_column(ForeignKey("property_sets.id", ondelete="CASCADE"))


class Finding(Base):
    """One piece of evidence that points at a mechanism, from text, source, a trace or a reproduction."""

    __tablename__ = "findings"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    test_case_id: Mapped[int | None] = mapped_column(ForeignKey("test_cases.id", ondelete="CASCADE"), index=True)
    mechanism: Mapped[Mechanism] = mapped_column(Word(Mechanism))
    source: Mapped[EvidenceSource] = mapped_column(Word(EvidenceSource))
    file: Mapped[str] = mapped_column(Text, default="")
    line: Mapped[int | None]
    score: Mapped[float]
    """Weight in [0, 1]."""
    evidence: Mapped[dict[str, Any]] = mapped_column(default=dict)
    created_at: Mapped[datetime]


class TestVerdict(Base):
    """What `detect` said last of a test case."""

    __test__ = False  # the name makes pytest think that this is a test class
    __tablename__ = "verdicts"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    test_case_id: Mapped[int] = mapped_column(ForeignKey("test_cases.id", ondelete="CASCADE"), unique=True)
    verdict: Mapped[Verdict] = mapped_column(Word(Verdict))
    p_flaky: Mapped[float]
    flake_rate: Mapped[float]
    flake_rate_low: Mapped[float]
    flake_rate_high: Mapped[float]
    mechanism: Mapped[Mechanism | None] = mapped_column(Word(Mechanism))
    p_mechanism: Mapped[float | None]
    since_commit: Mapped[str] = mapped_column(String(64), default="")
    evidence: Mapped[list[Any]] = mapped_column(default=list)
    decided_at: Mapped[datetime]


class Experiment(Base):
    """One invocation of `repro` (or, later, of `trace`): what was run, and what came out."""

    __tablename__ = "experiments"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    test_case_id: Mapped[int | None] = mapped_column(ForeignKey("test_cases.id", ondelete="CASCADE"), index=True)
    command: Mapped[str] = mapped_column(Text)
    verdict: Mapped[ReproVerdict | None] = mapped_column(Word(ReproVerdict))
    mechanism: Mapped[Mechanism | None] = mapped_column(Word(Mechanism))
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    summary: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """The `repro --json` document."""
    machine: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """Facts of the machine: cpus, load, kernel, autogroup, who reaps orphans."""


class Trial(Base):
    """One run of an arm of an experiment."""

    __tablename__ = "trials"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    experiment_id: Mapped[int] = mapped_column(ForeignKey("experiments.id", ondelete="CASCADE"), index=True)
    arm: Mapped[str] = mapped_column(String(255))
    stressor: Mapped[str] = mapped_column(String(255), default="none")
    group_kill: Mapped[str] = mapped_column(String(64), default="")
    ordinal: Mapped[int]
    """1-based order in which the trials of the experiment ran."""
    outcome: Mapped[TrialOutcome] = mapped_column(Word(TrialOutcome))
    exit_code: Mapped[int | None]
    duration_s: Mapped[float]
    message: Mapped[str] = mapped_column(Text, default="")
    host: Mapped[str] = mapped_column(String(255), default="")
    """Name of the machine that it ran on."""


class ProcessExit(Base):
    """One process of a trial: who it was and how it ended."""

    __tablename__ = "process_exits"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    trial_id: Mapped[int] = mapped_column(ForeignKey("trials.id", ondelete="CASCADE"), index=True)
    pid: Mapped[int]
    ppid: Mapped[int]
    pgid: Mapped[int | None]
    sid: Mapped[int | None]
    argv: Mapped[str] = mapped_column(Text, default="")
    state: Mapped[str] = mapped_column(String(16), default="")
    """State when the test ended: R, S, D, T, Z, or empty when it was gone."""
    exit_status: Mapped[int | None]
    """As Popen.returncode: negative for a signal."""
    survived: Mapped[bool] = mapped_column(default=False)
    """Whether it outlived the test, so that the supervisor had to end it."""
    time_to_exit_ms: Mapped[float | None]
    """From the end of the test, or from its first signal where a tracer saw it."""
    time_to_reap_ms: Mapped[float | None]
    timeline: Mapped[dict[str, Any] | None]
    """What a tracer saw: index in order of creation, parent's index, depth, the moments (ms since the trial began) of
    spawn, exec, end and reaping, and [name, moment, sender's pid] of each signal. Null without a tracer."""
