"""The tables, as typed classes; `alembic/versions` creates the same ones, and a test says so.

A class stands for its `Table` in every statement, and its attributes are the columns. SQLAlchemy's own declarative
classes are for its object mapper, which nothing here uses, and whose import takes a tenth of a second.
"""

import enum
from datetime import UTC, date, datetime
from typing import Any, ClassVar

from sqlalchemy import (
    DDL,
    JSON,
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Date,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    FromClause,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    event,
    text,
)
from sqlalchemy.types import TypeEngine

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


class Document(TypeDecorator[Any]):
    """A JSON document; PostgreSQL's JSONB, whose dialect is not imported for any other database."""

    impl = JSON
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return the type of the database."""
        if dialect.name != "postgresql":
            return dialect.type_descriptor(JSON())
        from sqlalchemy.dialects.postgresql import JSONB

        return dialect.type_descriptor(JSONB())


def column(*kind: Any, nullable: bool = False, **options: Any) -> Any:
    """Return a column, whose name is that of the attribute; without a type it has that of its foreign key."""
    return Column(*kind, nullable=nullable, **options)


class _TableClass(type):
    """Makes the table of a class that names one."""

    __table__: FromClause

    def __init__(cls, name: str, bases: tuple[type, ...], body: dict[str, Any]) -> None:
        super().__init__(name, bases, body)
        if "__tablename__" not in body:
            return
        columns = [value for value in body.values() if isinstance(value, Column)]
        for attribute, value in body.items():
            if isinstance(value, Column):
                value.name = value.key = attribute
        cls.__table__ = Table(body["__tablename__"], Base.metadata, *columns, *body.get("__table_args__", ()))

    def __clause_element__(cls) -> FromClause:
        """Return the table, where SQLAlchemy is given the class."""
        return cls.__table__


class Base(metaclass=_TableClass):
    """Base of all tables."""

    __tablename__: ClassVar[str]
    __table_args__: ClassVar[tuple[Any, ...]]
    metadata: ClassVar = MetaData(naming_convention=NAMING)


class Project(Base):
    """A repository or product whose CI history is kept."""

    __tablename__ = "projects"

    id: ColumnElement[int] = column(RowId, primary_key=True)
    name: ColumnElement[str] = column(String(255), unique=True)


class Run(Base):
    """One attempt of one job of a CI run, at one commit.

    Columns that name a run are never NULL (empty when unknown), so that the same run is found again.
    """

    __tablename__ = "runs"
    __table_args__ = (
        UniqueConstraint("project_id", "provider", "external_id", "workflow", "job", "attempt"),
        Index(None, "commit_sha"),
    )

    id: ColumnElement[int] = column(RowId, primary_key=True)
    project_id: ColumnElement[int] = column(ForeignKey("projects.id", ondelete="CASCADE"))
    provider: ColumnElement[str] = column(String(64), default="")
    external_id: ColumnElement[str] = column(String(255), default="")
    workflow: ColumnElement[str] = column(String(255), default="")
    job: ColumnElement[str] = column(String(255), default="")
    attempt: ColumnElement[int] = column(Integer, default=1)
    commit_sha: ColumnElement[str] = column(String(64), default="")
    branch: ColumnElement[str] = column(String(255), default="")
    runner: ColumnElement[str] = column(String(255), default="")
    os: ColumnElement[str] = column(String(64), default="")
    cpus: ColumnElement[int | None] = column(Integer, nullable=True)
    parallel: ColumnElement[int | None] = column(Integer, nullable=True)
    """How many tests run at a time."""
    time_limit_s: ColumnElement[float | None] = column(Float, nullable=True)
    """How long one test may take."""
    started_at: ColumnElement[datetime | None] = column(UtcDateTime, nullable=True)


class Artifact(Base):
    """One ingested file; its SHA-256 is unique per run, so a second ingest adds nothing."""

    __tablename__ = "artifacts"
    __table_args__ = (UniqueConstraint("run_id", "sha256"),)

    id: ColumnElement[int] = column(RowId, primary_key=True)
    run_id: ColumnElement[int] = column(ForeignKey("runs.id", ondelete="CASCADE"))
    sha256: ColumnElement[bytes] = column(LargeBinary(32))
    path: ColumnElement[str] = column(Text)
    kind: ColumnElement[str] = column(String(32))
    """`junit` or `log`."""
    format: ColumnElement[str] = column(String(64), default="")
    """The dialect or log format, such as `pytest` or `vitest`."""
    size_bytes: ColumnElement[int] = column(BigInteger)
    ingested_at: ColumnElement[datetime] = column(UtcDateTime)


class ArtifactIssue(Base):
    """What was wrong with a file, and where; a rejected file has an artifact row with issues and no results."""

    __tablename__ = "artifact_issues"

    id: ColumnElement[int] = column(RowId, primary_key=True)
    artifact_id: ColumnElement[int] = column(ForeignKey("artifacts.id", ondelete="CASCADE"), index=True)
    position: ColumnElement[str] = column(String(64), default="")
    """Where in the file, such as `line 12, column 3`."""
    reason: ColumnElement[str] = column(Text)
    rejected: ColumnElement[bool] = column(Boolean, default=True)
    """Whether the file was refused; otherwise it was ingested in spite of the issue."""


class TestCase(Base):
    """A test case across all runs."""

    __test__ = False  # the name makes pytest think that this is a test class
    __tablename__ = "test_cases"

    id: ColumnElement[int] = column(RowId, primary_key=True)
    project_id: ColumnElement[int] = column(ForeignKey("projects.id", ondelete="CASCADE"), index=True)
    key: ColumnElement[bytes] = column(LargeBinary(16), unique=True)
    """`TestIdentity.key`."""
    suite: ColumnElement[str] = column(Text, default="")
    classname: ColumnElement[str] = column(Text, default="")
    name: ColumnElement[str] = column(Text)
    framework: ColumnElement[str] = column(String(64), default="")
    file: ColumnElement[str] = column(Text, default="")
    line: ColumnElement[int | None] = column(Integer, nullable=True)


class Failure(Base):
    """The text of a failure, stored once however often it happened."""

    __tablename__ = "failures"
    __table_args__ = (UniqueConstraint("fingerprint", "detail_hash"),)

    id: ColumnElement[int] = column(RowId, primary_key=True)
    fingerprint: ColumnElement[bytes] = column(LargeBinary(16))
    """Hash of type and message with pids, ports, times, paths and the like masked."""
    detail_hash: ColumnElement[bytes] = column(LargeBinary(16))
    """Hash of the unmasked type, message and detail."""
    type: ColumnElement[str] = column(Text, default="")
    message: ColumnElement[str] = column(Text, default="")
    detail: ColumnElement[str] = column(Text, default="")


UNDATED = date(1900, 1, 1)
"""Day of results on PostgreSQL that nobody gave one."""


def _no_day(context: Any) -> date | None:
    return UNDATED if context.dialect.name == "postgresql" else None


_FAILED = text("failure_id IS NOT NULL")


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
            sqlite_where=_FAILED,
        ),
    )

    id: ColumnElement[int] = column(RowId, primary_key=True)
    test_case_id: ColumnElement[int] = column(RowId)
    run_id: ColumnElement[int] = column(RowId)
    """Without an index of its own, which would cost an insert a fifth of its time: ask by the run's artifacts."""
    artifact_id: ColumnElement[int] = column(RowId)
    attempt: ColumnElement[int] = column(Integer, default=1)
    """1-based, within the run."""
    day: ColumnElement[date | None] = column(Date, default=_no_day, nullable=True)
    """When the run started, or when it was ingested; PostgreSQL's partition key, empty on SQLite, which has none."""
    outcome: ColumnElement[Outcome] = column(Word(Outcome))
    duration_s: ColumnElement[float | None] = column(Float, nullable=True)
    failure_id: ColumnElement[int | None] = column(RowId, nullable=True)


@event.listens_for(Base.metadata, "before_create")
def _on_postgresql(_metadata: MetaData, connection: Connection, **_options: Any) -> None:
    """Add what SQLAlchemy takes only with PostgreSQL's dialect imported, which takes a while, where that is there."""
    if connection.dialect.name == "postgresql":
        results = Base.metadata.tables["results"]
        results.dialect_kwargs["postgresql_partition_by"] = "RANGE (day)"
        [failed] = [index for index in results.indexes if index.name == "ix_results_failed"]
        failed.dialect_kwargs["postgresql_where"] = _FAILED


# A number for each row, taken one by one from a page that all writers share, costs a seventh of what inserting it does.
event.listen(
    Result.__table__,
    "after_create",
    DDL("ALTER SEQUENCE results_id_seq CACHE 1000").execute_if(dialect="postgresql"),  # type: ignore[no-untyped-call]
)


class Rollup(Base):
    """Results of one project, packed: those of its artifacts after the rollup before, up to `upto`."""

    __tablename__ = "rollups"

    id: ColumnElement[int] = column(RowId, primary_key=True)
    project_id: ColumnElement[int] = column(ForeignKey("projects.id", ondelete="CASCADE"), index=True)
    upto: ColumnElement[int] = column(BigInteger)
    """Highest id of an artifact in it."""
    stamp: ColumnElement[str] = column(String(64))
    """Number and size of all artifacts up to `upto` when it was made: what else they are now, it is stale."""
    results: ColumnElement[int] = column(Integer)
    pruned: ColumnElement[bool] = column(Boolean, default=False)
    """Whether the rows of its results are gone: it is all that is left of them, whatever the artifacts are now."""
    data: ColumnElement[bytes] = column(LargeBinary)
    """Test case ids, run ids and outcomes, packed by `queries.rollups` and compressed with zlib."""


class LogEvent(Base):
    """A log line about signals, pids, kills, time-outs or jobs, tied to the test it belongs to where known."""

    __tablename__ = "log_events"

    id: ColumnElement[int] = column(RowId, primary_key=True)
    artifact_id: ColumnElement[int] = column(ForeignKey("artifacts.id", ondelete="CASCADE"), index=True)
    run_id: ColumnElement[int] = column(ForeignKey("runs.id", ondelete="CASCADE"))
    test_case_id: ColumnElement[int | None] = column(
        ForeignKey("test_cases.id", ondelete="SET NULL"), index=True, nullable=True
    )
    line: ColumnElement[int] = column(Integer)
    """1-based."""
    time: ColumnElement[datetime | None] = column(UtcDateTime, nullable=True)
    kind: ColumnElement[LogEventKind] = column(Word(LogEventKind))
    pid: ColumnElement[int | None] = column(Integer, nullable=True)
    text: ColumnElement[str] = column(Text)


class PropertySet(Base):
    """The `<properties>` of one element, stored once however many elements have the same: Surefire repeats sixty."""

    __tablename__ = "property_sets"

    id: ColumnElement[int] = column(RowId, primary_key=True)
    hash: ColumnElement[bytes] = column(LargeBinary(16), unique=True)
    """Hash of the entries."""
    entries: ColumnElement[list[Any]] = column(Document)
    """Pairs of name and value in the order of the file; a name may come twice, and `attachment` is a path."""


class Property(Base):
    """Which test, attempt or suite of an artifact has a set of properties."""

    __tablename__ = "properties"

    id: ColumnElement[int] = column(RowId, primary_key=True)
    artifact_id: ColumnElement[int] = column(ForeignKey("artifacts.id", ondelete="CASCADE"), index=True)
    test_case_id: ColumnElement[int | None] = column(
        ForeignKey("test_cases.id", ondelete="CASCADE"), index=True, nullable=True
    )
    """NULL where a suite has them."""
    attempt: ColumnElement[int | None] = column(Integer, nullable=True)
    """1-based, within the run; the last attempt that the element tells of."""
    suite: ColumnElement[str] = column(Text, default="")
    """Name of the suite that has them; empty where a test has them, or the whole file."""
    set_id: ColumnElement[int] = column(ForeignKey("property_sets.id", ondelete="CASCADE"))


class Finding(Base):
    """One piece of evidence that points at a mechanism, from text, source, a trace or a reproduction."""

    __tablename__ = "findings"

    id: ColumnElement[int] = column(RowId, primary_key=True)
    test_case_id: ColumnElement[int | None] = column(
        ForeignKey("test_cases.id", ondelete="CASCADE"), index=True, nullable=True
    )
    mechanism: ColumnElement[Mechanism] = column(Word(Mechanism))
    source: ColumnElement[EvidenceSource] = column(Word(EvidenceSource))
    file: ColumnElement[str] = column(Text, default="")
    line: ColumnElement[int | None] = column(Integer, nullable=True)
    score: ColumnElement[float] = column(Float)
    """Weight in [0, 1]."""
    evidence: ColumnElement[dict[str, Any]] = column(Document, default=dict)
    created_at: ColumnElement[datetime] = column(UtcDateTime)


class TestVerdict(Base):
    """What `detect` said last of a test case."""

    __test__ = False  # the name makes pytest think that this is a test class
    __tablename__ = "verdicts"

    id: ColumnElement[int] = column(RowId, primary_key=True)
    test_case_id: ColumnElement[int] = column(ForeignKey("test_cases.id", ondelete="CASCADE"), unique=True)
    verdict: ColumnElement[Verdict] = column(Word(Verdict))
    p_flaky: ColumnElement[float] = column(Float)
    flake_rate: ColumnElement[float] = column(Float)
    flake_rate_low: ColumnElement[float] = column(Float)
    flake_rate_high: ColumnElement[float] = column(Float)
    mechanism: ColumnElement[Mechanism | None] = column(Word(Mechanism), nullable=True)
    p_mechanism: ColumnElement[float | None] = column(Float, nullable=True)
    since_commit: ColumnElement[str] = column(String(64), default="")
    evidence: ColumnElement[list[Any]] = column(Document, default=list)
    decided_at: ColumnElement[datetime] = column(UtcDateTime)


class Experiment(Base):
    """One invocation of `repro` (or, later, of `trace`): what was run, and what came out."""

    __tablename__ = "experiments"

    id: ColumnElement[int] = column(RowId, primary_key=True)
    project_id: ColumnElement[int] = column(ForeignKey("projects.id", ondelete="CASCADE"))
    test_case_id: ColumnElement[int | None] = column(
        ForeignKey("test_cases.id", ondelete="CASCADE"), index=True, nullable=True
    )
    command: ColumnElement[str] = column(Text)
    verdict: ColumnElement[ReproVerdict | None] = column(Word(ReproVerdict), nullable=True)
    mechanism: ColumnElement[Mechanism | None] = column(Word(Mechanism), nullable=True)
    started_at: ColumnElement[datetime] = column(UtcDateTime)
    finished_at: ColumnElement[datetime | None] = column(UtcDateTime, nullable=True)
    summary: ColumnElement[dict[str, Any]] = column(Document, default=dict)
    """The `repro --json` document."""
    machine: ColumnElement[dict[str, Any]] = column(Document, default=dict)
    """Facts of the machine: cpus, load, kernel, autogroup, who reaps orphans."""


class Trial(Base):
    """One run of an arm of an experiment."""

    __tablename__ = "trials"

    id: ColumnElement[int] = column(RowId, primary_key=True)
    experiment_id: ColumnElement[int] = column(ForeignKey("experiments.id", ondelete="CASCADE"), index=True)
    arm: ColumnElement[str] = column(String(255))
    stressor: ColumnElement[str] = column(String(255), default="none")
    group_kill: ColumnElement[str] = column(String(64), default="")
    ordinal: ColumnElement[int] = column(Integer)
    """1-based order in which the trials of the experiment ran."""
    outcome: ColumnElement[TrialOutcome] = column(Word(TrialOutcome))
    exit_code: ColumnElement[int | None] = column(Integer, nullable=True)
    duration_s: ColumnElement[float] = column(Float)
    message: ColumnElement[str] = column(Text, default="")
    host: ColumnElement[str] = column(String(255), default="")
    """Name of the machine that it ran on."""


class ProcessExit(Base):
    """One process of a trial: who it was and how it ended."""

    __tablename__ = "process_exits"

    id: ColumnElement[int] = column(RowId, primary_key=True)
    trial_id: ColumnElement[int] = column(ForeignKey("trials.id", ondelete="CASCADE"), index=True)
    pid: ColumnElement[int] = column(Integer)
    ppid: ColumnElement[int] = column(Integer)
    pgid: ColumnElement[int | None] = column(Integer, nullable=True)
    sid: ColumnElement[int | None] = column(Integer, nullable=True)
    argv: ColumnElement[str] = column(Text, default="")
    state: ColumnElement[str] = column(String(16), default="")
    """State when the test ended: R, S, D, T, Z, or empty when it was gone."""
    exit_status: ColumnElement[int | None] = column(Integer, nullable=True)
    """As Popen.returncode: negative for a signal."""
    survived: ColumnElement[bool] = column(Boolean, default=False)
    """Whether it outlived the test, so that the supervisor had to end it."""
    time_to_exit_ms: ColumnElement[float | None] = column(Float, nullable=True)
    """From the end of the test, or from its first signal where a tracer saw it."""
    time_to_reap_ms: ColumnElement[float | None] = column(Float, nullable=True)
    timeline: ColumnElement[dict[str, Any] | None] = column(Document, nullable=True)
    """What a tracer saw: index in order of creation, parent's index, depth, the moments (ms since the trial began) of
    spawn, exec, end and reaping, and [name, moment, sender's pid] of each signal. Null without a tracer."""
