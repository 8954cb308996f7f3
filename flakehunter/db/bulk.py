"""Bulk statements, one class a database server: many rows an INSERT on SQLite, COPY on PostgreSQL.

Measured on 2 cores with Python 3.11: the ORM writes 12-18 thousand results a second, Core `insert` 139 thousand, the
driver's own `executemany` 269 thousand, many rows an INSERT 510 thousand, COPY 221 thousand. Nothing here knows about
files or caches. This module says what both can do, and has the statements that both take.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import date, datetime
from typing import Any, NamedTuple, Protocol

from sqlalchemy import bindparam, text
from sqlalchemy.engine import Connection

from flakehunter.db.rows import ArtifactRow, CaseRow, Entries, FailureRow
from flakehunter.db.schema import Document

Keyed = tuple[bytes, CaseRow]
StoredResult = tuple[int, int, int, int, str, float | None, int | None]
"""test_case_id, run_id, artifact_id, attempt, outcome, duration_s, failure_id: the order of RESULT_COLUMNS."""

RESULT_COLUMNS = "test_case_id, run_id, artifact_id, attempt, outcome, duration_s, failure_id"


class Origin(NamedTuple):
    """Where results come from; `day` says in which partition they lie, where there are some."""

    run_id: int
    artifact_id: int
    day: date


class Bulk(Protocol):
    """How rows get into one kind of database."""

    def insert_artifact(self, connection: Connection, run_id: int, artifact: ArtifactRow, now: datetime) -> int | None:
        """Insert an artifact and return its id; None, and nothing is done, where the run has this content already."""

    def ensure_tests(
        self, connection: Connection, project_id: int, tests: Sequence[Keyed], *, short: bool = False
    ) -> dict[bytes, int]:
        """Insert the test cases that are not there yet; return the id of each key.

        `short` says that the transaction ends at once, so that others may wait for it.
        """

    def ensure_failures(
        self, connection: Connection, failures: Sequence[FailureRow], *, short: bool = False
    ) -> dict[tuple[bytes, bytes], int]:
        """Insert the failures that are not there yet; return the id of each pair of hashes."""

    def ensure_properties(self, connection: Connection, sets: Mapping[bytes, Entries], *, short: bool = False) -> None:
        """Insert the sets of properties that are not there yet, by hash."""

    def failures_there(self, connection: Connection, ids: Sequence[int]) -> set[int]:
        """Return which of these failures are there, and keep others from deleting them."""

    def insert_results(self, connection: Connection, results: Sequence[StoredResult], day: date) -> None:
        """Insert results, in order; `day` says in which partition, where there are some."""

    def insert_passes(
        self, connection: Connection, of: Origin, tests: Sequence[int], durations: Sequence[float]
    ) -> None:
        """Insert first attempts that passed, of the test cases with these ids, in order."""

    def expect_many(self, connection: Connection, *, completes: bool = True, elsewhere: int = 0) -> None:
        """Get ready for very many results, which the next transaction will bring; outside of one.

        Without `completes` somebody else will do that. `elsewhere` counts results that others have inserted for it.
        """

    def completing(self, connection: Connection) -> AbstractContextManager[None]:
        """Have a server make what was left out for that while the block is being done; `complete` comes after it."""

    def complete(self, connection: Connection) -> None:
        """Make what was left out for that, by this ingest or one that was killed; outside of a transaction."""

    def write_out(self, connection: Connection) -> None:
        """Write results that wait for others: before the end of the transaction, and before somebody looks for them."""

    def forget(self) -> None:
        """Forget results that wait: the transaction has failed."""

    def max_attempts(self, connection: Connection, run_id: int, test_ids: Iterable[int]) -> dict[int, int]:
        """Return the highest attempt stored in the run, for those of `test_ids` that have one."""

    def delete_results(self, connection: Connection, run_id: int, kind: str, test_ids: Iterable[int]) -> int:
        """Delete the results of these tests that the run's artifacts of `kind` brought; return how many."""


def bulk_for(dialect: str) -> Bulk:
    """Return the statements for SQLAlchemy's dialect name."""
    if dialect == "postgresql":
        from flakehunter.db.bulk_postgres import PostgresBulk

        return PostgresBulk()
    from flakehunter.db.bulk_sqlite import SqliteBulk

    return SqliteBulk()


def driver_of(connection: Connection) -> Any:
    """Return the driver's own connection, for statements that are too many to go through SQLAlchemy."""
    return connection.connection.driver_connection


ARTIFACT_COLUMNS = "run_id, sha256, path, kind, format, size_bytes, ingested_at"


def artifact_fields(artifact: ArtifactRow) -> tuple[bytes, str, str, str, int]:
    """Return what is stored of an artifact, in the order of `ARTIFACT_COLUMNS`, after the run and before the time."""
    return artifact.sha256, artifact.path, artifact.kind, artifact.format, artifact.size_bytes


NEW_ARTIFACT = (
    f"INSERT INTO artifacts ({ARTIFACT_COLUMNS})"
    " VALUES ({}, {}, {}, {}, {}, {}, {}) ON CONFLICT (run_id, sha256) DO NOTHING RETURNING id"
)

NEW_PROPERTY_SET = text(
    "INSERT INTO property_sets (hash, entries) VALUES (:hash, :entries) ON CONFLICT (hash) DO NOTHING"
).bindparams(bindparam("entries", type_=Document))

# Results are deleted from artifacts that may be in a rollup already: that one and those after it are made anew.
STALE_ROLLUPS = """DELETE FROM rollups WHERE project_id = (SELECT project_id FROM runs WHERE id = {})
    AND upto >= (SELECT min(id) FROM artifacts WHERE run_id = {} AND kind = {})"""
