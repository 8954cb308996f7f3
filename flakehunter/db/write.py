"""Write artifacts into the database: one transaction each, nothing twice, ids kept in memory between them."""

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import Self

from sqlalchemy import Engine, bindparam, select, text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import SQLAlchemyError

from flakehunter.db.artifacts import ArtifactWriter, Latest, newest_artifact
from flakehunter.db.bulk import bulk_for, driver_of
from flakehunter.db.engine import readonly, shown_url
from flakehunter.db.locks import begin_writing
from flakehunter.db.prepared import Prepared, lock_all, prepare
from flakehunter.db.queries.projects import of_project
from flakehunter.db.queries.rolling import Pack, store_told
from flakehunter.db.retry import persistently
from flakehunter.db.rows import ArtifactRow, Batch, CaseRow, Known, ReadArtifact, RunRow, Written
from flakehunter.db.runs import RunState
from flakehunter.db.schema import Artifact, Project
from flakehunter.db.shared import Told
from flakehunter.errors import DatabaseError

_CACHE_LIMIT = 50_000
"""Ids kept in memory; beyond that they are forgotten and looked up anew (about 500 bytes each)."""

_SQLITE_SETTINGS = ("PRAGMA cache_size = -16384", "PRAGMA wal_autocheckpoint = 4000")
"""Pages of indexes are written again and again: 16 MiB of them stay in memory, and 16 MB wait in the log."""

_NEW_PROJECT = text("INSERT INTO projects (name) VALUES (:name) ON CONFLICT (name) DO NOTHING")
_PROJECT = select(Project.id).where(Project.name == bindparam("name"))


def ensure_project(connection: Connection, name: str) -> int:
    """Return the id of the project of that name; insert it when it is not there."""
    found = connection.execute(_PROJECT, {"name": name}).scalar()
    if found is None:
        # Several jobs may be the first.
        connection.execute(_NEW_PROJECT, {"name": name})
        found = connection.execute(_PROJECT, {"name": name}).scalar_one()
    return int(found)


class Writer:
    """Writes the artifacts of one project; use as a context manager.

    Ids are kept in memory; a rollback forgets them all, since it must not leave an id behind that nobody has.
    """

    def __init__(self, engine: Engine, project: str, *, completes: bool = True, pack: Pack | None = None) -> None:
        """Begin; who does not `completes` leaves it to somebody else to make what is left out for many results.

        With `pack` this process does not pack rollups itself, unless they hold more than what it has written.
        """
        self._engine, self._completes, self._pack = engine, completes, pack
        self.bulk = bulk_for(engine.dialect.name)
        self.project = project
        self._project_id: int | None = None
        self.tests: dict[CaseRow, int] = {}
        """Ids of committed test cases, by everything that a file says of them."""
        self.failures: dict[tuple[bytes, bytes], int] = {}
        self.runs: dict[RunRow, RunState] = {}
        self._latest: Latest | None = None
        self._in_transaction = False
        self.prepared = Prepared()
        self.written = Written()
        self._places: dict[int, tuple[Known, list[int | None]]] = {}

    def __enter__(self) -> Self:
        with self._database_errors():
            self.connection = self._engine.connect()
            self._foreign_keys("OFF")
            if self._engine.dialect.name == "sqlite":
                for setting in _SQLITE_SETTINGS:
                    driver_of(self.connection).execute(setting)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            if self._completes and not isinstance(error, DatabaseError):
                persistently(self._complete)
        finally:
            with contextlib.suppress(SQLAlchemyError):
                self._foreign_keys("ON")
            self.connection.close()

    def _complete(self) -> None:
        with self._database_errors():
            self.bulk.complete(self.connection)

    def _foreign_keys(self, state: str) -> None:
        """Switch SQLite's checks: every id written here was read or made in the same transaction.

        Looking each up again in four parent tables costs a third of an insert. The driver's own connection does it,
        since inside of a transaction the setting has no effect.
        """
        if self._engine.dialect.name == "sqlite":
            driver_of(self.connection).execute(f"PRAGMA foreign_keys = {state}")

    @property
    def on_server(self) -> bool:
        """Whether a server writes, which others use at the same time, and which this process may not wait for.

        Then tests are committed before the artifacts that bring them.
        """
        return self._engine.dialect.name != "sqlite"

    def insert_ahead(self, batches: Iterable[Batch]) -> None:
        """Insert what batches tell of that other jobs may tell of too, so that none waits for our next transaction.

        Raises:
            DatabaseError: the database refused.
        """
        if not self.on_server:
            return
        told = Told()
        for batch in batches:
            told.add(self, batch)
        with self._database_errors():
            self._find_project()
            assert self._project_id is not None
            told.insert(self.connection, self, self._project_id)

    def expect_many(self, elsewhere: int = 0) -> None:
        """Get ready for very many results, `elsewhere` of which others have inserted; outside of a transaction.

        Raises:
            DatabaseError: the database refused.
        """
        with self._database_errors():
            self._expect_many(elsewhere)

    def _expect_many(self, elsewhere: int = 0) -> None:
        self.bulk.expect_many(self.connection, completes=self._completes, elsewhere=elsewhere)

    @contextlib.contextmanager
    def transaction(self, files: Sequence[ReadArtifact] = (), *, many: bool = False) -> Iterator[None]:
        """Open a transaction for several artifacts: all of them are committed at its end, or none.

        What an artifact costs beside its rows, such as a commit and the pages of indexes, is then shared by all; and
        so is what a server is asked, where the `files` are given that will be written. `many` says that they have as
        many results as a transaction should have, and more may come.

        Raises:
            DatabaseError: the database refused.
        """
        with self._database_errors():
            self._in_transaction = True
            try:
                self._find_project()
                if many:
                    self._expect_many()
                with self.connection.begin():
                    begin_writing(self.connection)
                    self._prepare(files)
                    yield
                    self.bulk.write_out(self.connection)
            except BaseException:
                self._forget()
                raise
            finally:
                self._in_transaction = False

    def _prepare(self, files: Sequence[ReadArtifact]) -> None:
        assert self._project_id is not None
        self.prepared = Prepared()
        ahead = files if self.on_server else ()
        if ahead:
            self.prepared = Prepared(lock_all(self.connection, self._project_id, ahead))
        if self._latest is not None and not self._alone_since(self._latest, ahead):
            self._latest = None
        if ahead:
            prepare(self.connection, self, self._project_id, ahead, self.prepared)

    @contextlib.contextmanager
    def artifact(self, run: RunRow, artifact: ArtifactRow) -> Iterator[ArtifactWriter]:
        """Write one artifact, in the transaction that is open, or one of its own.

        A block that an exception ends leaves nothing, and takes what is in the open transaction with it.

        Raises:
            DatabaseError: the database refused.
        """
        with contextlib.nullcontext() if self._in_transaction else self.transaction():
            assert self._project_id is not None
            writer = ArtifactWriter(self, self._project_id, run, artifact, self._latest)
            yield writer
            writer.finish()
            self._latest = writer.latest()
            self._keep(writer)

    def _forget(self) -> None:
        """Forget every id: after a rollback some of them are of nobody."""
        self.bulk.forget()
        self._project_id = self._latest = None
        self.prepared = Prepared()
        self.tests, self.failures, self.runs, self._places = {}, {}, {}, {}
        self.written.whole = False

    def roll_up(self, *, told_only: bool = False) -> None:
        """Make a rollup of what was written, in a transaction of its own; `told_only`: see `update_rollups`.

        Raises:
            DatabaseError: the database refused.
        """
        with self._database_errors(), self.connection.begin():
            if self._pack is not None and store_told(
                self.connection, self.project, self.written, self._pack, told_only=told_only
            ):
                return
            # numpy is not for those who only write a project.
            from flakehunter.db.queries.rollups import update_rollups

            update_rollups(self.connection, self.project, self.written, told_only=told_only)

    def finish(self) -> None:
        """Make a rollup of the rest, while a server makes what was left out for many results.

        Raises:
            DatabaseError: the database refused.
        """
        with self._database_errors(), self.bulk.completing(self.connection):
            self.roll_up()

    def ids_of_places(self, known: Known) -> list[int | None]:
        """Return the ids of the rows of `known`, as far as they have been asked for; to be filled in."""
        if id(known) not in self._places:
            if sum(len(ids) for _, ids in self._places.values()) > _CACHE_LIMIT:
                self._places.clear()
            self._places[id(known)] = (known, [])
        ids = self._places[id(known)][1]
        ids += [None] * (len(known.rows) - len(ids))
        return ids

    def known_hashes(self) -> frozenset[bytes]:
        """Return the hashes of all artifacts of the project: what is not among them need not be looked up."""
        query = of_project(select(Artifact.sha256), Artifact, self.project)
        if self._engine.dialect.name == "sqlite":
            # A transaction of ours would take the lock of writers.
            with self._database_errors(), readonly(self._engine).connect() as connection:
                return frozenset(connection.execute(query).scalars())
        # One connection a job: a server has a hundred, not two for each of 64.
        with self._database_errors(), self.connection.begin():
            return frozenset(self.connection.execute(query).scalars())

    def _alone_since(self, latest: Latest, files: Sequence[ReadArtifact]) -> bool:
        """Whether nobody has written since; on a server somebody may be about to, unless the run is locked."""
        if not self.on_server:
            return newest_artifact(self.connection) == latest.artifact_id
        locked = {self.runs[read.run].id for read in files if read.run in self.runs}
        return latest.run_id in locked and newest_artifact(self.connection, latest.run_id) == latest.artifact_id

    def _find_project(self) -> None:
        """Make the project in a transaction of its own, or all the first jobs would wait for one of them."""
        if self._project_id is None:
            with self.connection.begin():
                self._project_id = ensure_project(self.connection, self.project)

    def _keep(self, written: ArtifactWriter) -> None:
        if len(self.tests) + len(written.new_tests) > _CACHE_LIMIT:
            self.tests.clear()
        if len(self.failures) + len(written.new_failures) > _CACHE_LIMIT:
            self.failures.clear()
        if len(self.runs) > _CACHE_LIMIT // 10:
            self.runs.clear()
        self.tests.update(written.new_tests)
        self.failures.update(written.new_failures)
        self.runs[written.run] = written.state

    @contextlib.contextmanager
    def _database_errors(self) -> Iterator[None]:
        try:
            yield
        except (SQLAlchemyError, sqlite3.Error) as error:
            shown = shown_url(str(self._engine.url.render_as_string(hide_password=True)))
            reason = " ".join(str(getattr(error, "orig", None) or error).split())
            raise DatabaseError(
                f"cannot write to database {shown}: {reason}",
                url=shown,
                hint="what was ingested before is kept; mend the cause and run the same command again",
            ) from error
