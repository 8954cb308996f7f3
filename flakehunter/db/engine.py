"""Open a database: make it on first use, check its revision, set SQLite up for several writers."""

import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.engine import URL, Connection
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError, SQLAlchemyError

from flakehunter.db.glance import HEAD_REVISION as HEAD_REVISION
from flakehunter.db.partitions import create_undated
from flakehunter.db.schema import Base
from flakehunter.errors import DatabaseError, NothingToDoError

REVISIONS = ("0001",)
"""Every revision this version knows, oldest first."""

LOCK_TIMEOUT_S = 60.0
"""How long a writer of SQLite waits for another; an ingest holds the lock for one artifact at a time."""

CACHED_STATEMENTS = 256
"""Of SQLite, for each connection: bulk inserts have one for each number of rows up to 100."""

_NO_WRITE = ("42501", "25006")
"""PostgreSQL's insufficient_privilege and read_only_sql_transaction."""


def shown_url(url: str) -> str:
    """Return `url` without its password, for messages."""
    try:
        return make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        return url


def open_database(url: str, *, create: bool = False, check: bool = True) -> Engine:
    """Return an engine for `url`, whose revision is the one this version works with.

    With `create`, a database that does not exist yet is made. With `check=False` the revision is not looked at.

    Raises:
        NothingToDoError: there is no database yet, and `create` is not given.
        DatabaseError: it cannot be reached or written, or it is of another revision.
    """
    shown = shown_url(url)
    try:
        parsed = make_url(url)
        sqlite = parsed.get_backend_name() == "sqlite"
        engine = create_engine(parsed, connect_args={"cached_statements": CACHED_STATEMENTS} if sqlite else {})
    except (ArgumentError, SQLAlchemyError, ImportError, ValueError) as error:
        hint = "write a path, sqlite:///PATH or postgresql://USER@HOST/NAME"
        if isinstance(error, ImportError):
            hint = "install the driver: pip install 'flakehunter-ci[postgres]'"
        raise DatabaseError(f"cannot use database {shown}: {error}", url=shown, hint=hint) from error
    try:
        if sqlite:
            _prepare_sqlite(engine, parsed, shown, create=create)
        if check:
            _check_revision(engine, shown, create=create)
    except BaseException:
        engine.dispose()
        raise
    return engine


def current_revision(connection: Connection) -> str | None:
    """Return the revision written in the database; None where there is none."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _prepare_sqlite(engine: Engine, url: URL, shown: str, *, create: bool) -> None:
    path = Path(url.database or "")
    if url.database and url.database != ":memory:":
        if not path.exists() and not create:
            raise NothingToDoError(
                f"there is no database at {path}", hint="run flakehunter ingest PATH first, or give --db"
            )
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DatabaseError(
                f"cannot make the folder of database {path}: {error.strerror}",
                url=shown,
                hint="give a path that can be written with --db or FLAKEHUNTER_DB",
            ) from error

    @event.listens_for(engine, "connect")
    def on_connect(connection: sqlite3.Connection, _record: Any) -> None:
        # Python's sqlite3 would begin transactions late and by itself; ours begin as writers (below).
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {int(LOCK_TIMEOUT_S * 1000)}")
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = NORMAL")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        # A transaction that reads first and writes later fails with "database is locked" at once when another
        # writer came between, however long the time-out: so whoever may write takes the lock at the start.
        reads = connection.get_execution_options().get("flakehunter_readonly", False)
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def readonly(engine: Engine) -> Engine:
    """Return a view of `engine` whose transactions only read, all of them the database as it was at their beginning.

    They do not take SQLite's write lock. On PostgreSQL each statement would else see what was committed before it.
    """
    if engine.dialect.name == "postgresql":
        return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    return engine.execution_options(flakehunter_readonly=True)


def _check_revision(engine: Engine, shown: str, *, create: bool) -> None:
    try:
        with readonly(engine).connect() as connection:
            revision, tables = _look(connection)
        if revision is None and create:
            with engine.begin() as connection:
                if engine.dialect.name == "postgresql":
                    # Two jobs may find an empty database at the same moment; the lock ends with the transaction.
                    connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('flakehunter.create'))"))
                revision, tables = _look(connection)
                if revision is None and not tables & set(Base.metadata.tables):
                    create_tables(connection)
                    revision = HEAD_REVISION
    except (SQLAlchemyError, sqlite3.Error) as error:
        cause = getattr(error, "orig", None) or error
        reason = " ".join(str(cause).split())
        raise DatabaseError(
            f"cannot open database {shown}: {reason}",
            url=shown,
            hint="give one that can be reached and written with --db or FLAKEHUNTER_DB",
        ) from error
    if revision == HEAD_REVISION:
        return
    if revision is None and not tables:
        raise NothingToDoError(f"database {shown} is empty", hint="run flakehunter ingest PATH first")
    if revision is None:
        raise DatabaseError(
            f"database {shown} is not one of flakehunter's", url=shown, hint="give another with --db or FLAKEHUNTER_DB"
        )
    if revision in REVISIONS:
        raise DatabaseError(
            f"database {shown} is of revision {revision}, this version works with {HEAD_REVISION}",
            url=shown,
            hint="run flakehunter db upgrade",
        )
    raise unknown_revision(str(revision), shown)


def _look(connection: Connection) -> tuple[str | None, set[str]]:
    """Return the revision, and where there is none the names of the tables that are there."""
    revision = current_revision(connection)
    return revision, set() if revision is not None else set(inspect(connection).get_table_names())


def unknown_revision(revision: str, shown: str) -> DatabaseError:
    """Return the error for a database that a newer version of flakehunter has migrated."""
    return DatabaseError(
        f"database {shown} is of revision {revision}, which this version of flakehunter does not know",
        url=shown,
        hint="it was made by a newer version: upgrade flakehunter",
    )


def create_tables(connection: Connection) -> None:
    """Create all tables and write the newest revision, as a run of all migrations would."""
    Base.metadata.create_all(connection)
    if connection.dialect.name == "postgresql":
        create_undated(connection)
    connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"))
    connection.execute(text("INSERT INTO alembic_version VALUES (:revision)"), {"revision": HEAD_REVISION})


def refused(error: BaseException) -> DatabaseError | None:
    """Return the error to show where the database refused a statement or went away; None where the bug is ours."""
    if not isinstance(error, DBAPIError):
        return None
    may_not = getattr(error.orig, "sqlstate", None) in _NO_WRITE
    if not (may_not or isinstance(error, OperationalError)):
        return None
    reason = " ".join(str(error.orig).split())
    if may_not:
        hint = "this role only reads, like detect --no-store; give one that writes with --db or FLAKEHUNTER_DB"
        return DatabaseError(f"the database refuses to be written: {reason}", url="", hint=hint)
    return DatabaseError(f"the database failed: {reason}", url="", hint="mend the cause and run the same command again")
