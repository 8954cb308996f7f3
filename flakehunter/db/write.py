"""Write artifacts into the database: one transaction each, nothing twice, ids kept in memory between them."""

import contextlib
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from sqlalchemy import Engine, bindparam, insert, select, text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import SQLAlchemyError

from flakehunter.db.artifacts import ArtifactWriter, Latest, RunState
from flakehunter.db.bulk import bulk_for
from flakehunter.db.engine import readonly, shown_url
from flakehunter.db.queries.projects import of_project
from flakehunter.db.rows import ArtifactRow, CaseRow, RunRow
from flakehunter.db.schema import Artifact, Project
from flakehunter.errors import DatabaseError

_CACHE_LIMIT = 100_000
"""Ids kept in memory; beyond that they are forgotten and looked up anew (about 500 bytes each)."""

_PROJECT = select(Project.id).where(Project.name == bindparam("name"))
_LOCK = text("SELECT pg_advisory_xact_lock(hashtext('flakehunter.ingest'), hashtext(:project))")


def ensure_project(connection: Connection, name: str) -> int:
    """Return the id of the project of that name; insert it when it is not there."""
    found = connection.execute(_PROJECT, {"name": name}).scalar()
    if found is not None:
        return int(found)
    return int(connection.execute(insert(Project).values(name=name).returning(Project.id)).scalar_one())


class Writer:
    """Writes the artifacts of one project; use as a context manager.

    Ids are kept in memory, and only once they are committed: a rolled back artifact must not leave an id behind that
    nobody has.
    """

    def __init__(self, engine: Engine, project: str) -> None:
        self._engine = engine
        self.bulk = bulk_for(engine.dialect.name)
        self.project = project
        self._project_id: int | None = None
        self.tests: dict[CaseRow, int] = {}
        """Ids of committed test cases, by everything that a file says of them."""
        self.failures: dict[tuple[bytes, bytes], int] = {}
        self.runs: dict[RunRow, RunState] = {}
        self._latest: Latest | None = None

    def __enter__(self) -> Self:
        with self._database_errors():
            self.connection = self._engine.connect()
            self._foreign_keys("OFF")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with contextlib.suppress(SQLAlchemyError):
            self._foreign_keys("ON")
        self.connection.close()

    def _foreign_keys(self, state: str) -> None:
        """Switch SQLite's checks: every id written here was read or made in the same transaction.

        Looking each up again in four parent tables costs a third of an insert. The driver's own connection does it,
        since inside of a transaction the setting has no effect.
        """
        if self._engine.dialect.name == "sqlite":
            driver = self.connection.connection.driver_connection
            assert driver is not None
            driver.execute(f"PRAGMA foreign_keys = {state}")

    @contextlib.contextmanager
    def artifact(self, run: RunRow, artifact: ArtifactRow) -> Iterator[ArtifactWriter]:
        """Open the transaction of one artifact; committed at the end of the block, rolled back by any exception.

        Raises:
            DatabaseError: the database refused.
        """
        with self._database_errors():
            # After a rollback nothing may be relied upon.
            latest, self._latest = self._latest, None
            with self.connection.begin():
                project_id = self._locked_project()
                writer = ArtifactWriter(self, project_id, run, artifact, latest)
                yield writer
                writer.finish()
            self._project_id = project_id
            self._latest = writer.latest()
            self._keep(writer)

    def known_hashes(self) -> frozenset[bytes]:
        """Return the hashes of all artifacts of the project: what is not among them need not be looked up."""
        query = of_project(select(Artifact.sha256), Artifact, self.project)
        with self._database_errors(), readonly(self._engine).connect() as connection:
            return frozenset(connection.execute(query).scalars())

    def _locked_project(self) -> int:
        if self._engine.dialect.name == "postgresql":
            # Writers of one project take turns, as they do on SQLite: two that insert the same new tests in
            # different order would deadlock, and attempts are numbered after what the run has already.
            self.connection.execute(_LOCK, {"project": self.project})
        return self._project_id or ensure_project(self.connection, self.project)

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
        except SQLAlchemyError as error:
            shown = shown_url(str(self._engine.url.render_as_string(hide_password=True)))
            reason = " ".join(str(getattr(error, "orig", None) or error).split())
            raise DatabaseError(
                f"cannot write to database {shown}: {reason}",
                url=shown,
                hint="what was ingested before is kept; mend the cause and run the same command again",
            ) from error
