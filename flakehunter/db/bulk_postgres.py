"""Rows into PostgreSQL: one COPY for the results of many files, arrays for what may be there already."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import date, datetime
from typing import Any

from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from flakehunter.db.bulk import (
    NEW_ARTIFACT,
    NEW_PROPERTY_SET,
    STALE_ROLLUPS,
    Keyed,
    Origin,
    StoredResult,
    artifact_fields,
)
from flakehunter.db.copying import COLUMNS, CopiedRows
from flakehunter.db.filling import Filling
from flakehunter.db.locks import KEEP_ROLLUPS_OF_RUN, apart
from flakehunter.db.partitions import ensure_partition
from flakehunter.db.rows import ArtifactRow, Entries, FailureRow

_COPY_BYTES = 8 << 20
"""What waits for one COPY at most: 100,000 results."""

_TOLD = (
    "unnest(%b::bytea[], %b::text[], %b::text[], %b::text[], %b::text[], %b::text[], %s::int[])"
    " AS t(key, suite, classname, name, framework, file, line)"
)
"""Test cases as PostgreSQL takes them: columns.

`%b` has psycopg send an array as it is. Measured: 10,000 keys are 3 ms of CPU so, and 240 to 290 in `%s`, as text.
"""


@contextmanager
def _copying(connection: Connection, statement: str) -> Iterator[Any]:
    """Give psycopg's COPY; its errors become SQLAlchemy's, as those of all other statements do."""
    proxy = connection.connection
    dbapi: Any = connection.dialect.dbapi
    cursor: Any = proxy.cursor()
    try:
        with cursor.copy(statement) as copy:
            yield copy
    except dbapi.Error as error:
        lost = bool(getattr(proxy.driver_connection, "closed", False))
        if lost:
            connection.invalidate(error)
        raise DBAPIError.instance(
            statement, None, error, dbapi.Error, connection_invalidated=lost, dialect=connection.dialect
        ) from error
    finally:
        cursor.close()


class PostgresBulk:
    """PostgreSQL: one COPY for the results of many files, one statement over arrays for what may be there already."""

    def __init__(self) -> None:
        self._months: set[date] = set()
        """First days of months whose partitions are there."""
        self._waiting = CopiedRows()
        self._filling = Filling()

    def insert_artifact(self, connection: Connection, run_id: int, artifact: ArtifactRow, now: datetime) -> int | None:
        """Insert an artifact and return its id; None, and nothing is done, where the run has this content already."""
        values = (run_id, *artifact_fields(artifact), now)
        return connection.exec_driver_sql(NEW_ARTIFACT.format(*["%s"] * len(values)), values).scalar()

    def ensure_tests(
        self, connection: Connection, project_id: int, tests: Sequence[Keyed], *, short: bool = False
    ) -> dict[bytes, int]:
        """Insert the test cases that are not there yet; return the id of each key."""
        if not tests:
            return {}
        ids, files = self._tests(connection, [key for key, _ in tests])
        # Most of the time all are there.
        missing = [(key, test) for key, test in tests if key not in ids or (test.file and not files[key])]
        if missing:
            with nullcontext(connection) if short else apart(connection) as here:
                ids |= self._insert_tests(here, project_id, missing)
                rest = [key for key, _ in missing if key not in ids]
                if rest:
                    # Somebody else has inserted them since.
                    ids |= self._tests(here, rest)[0]
        return ids

    def _insert_tests(self, connection: Connection, project_id: int, tests: Sequence[Keyed]) -> dict[bytes, int]:
        """Insert test cases, and tell the file of those that are there without one; return the ids of the new ones.

        Ids have the order of `tests`. Rows are inserted, and locked, in the order of their keys, or two jobs could
        wait for each other. Not ON CONFLICT DO UPDATE, which locks each row that is there, also where it changes none.
        """
        columns = [list(column) for column in zip(*((key, *test) for key, test in tests), strict=True)]
        made = connection.exec_driver_sql(
            "INSERT INTO test_cases (id, project_id, key, suite, classname, name, framework, file, line)"
            " SELECT t.id, %s, t.key, t.suite, t.classname, t.name, t.framework, t.file, t.line FROM"
            f" (SELECT nextval('test_cases_id_seq') AS id, * FROM {_TOLD}) t ORDER BY t.key ON CONFLICT DO NOTHING"
            " RETURNING key, id",
            (project_id, *columns),
        )
        new = {bytes(key): number for key, number in made}
        placed = [place for place, (key, test) in enumerate(tests) if test.file and key not in new]
        if not placed:
            return new
        columns = [[column[place] for place in placed] for column in columns]
        empty = "SELECT key FROM test_cases WHERE key = ANY(%b) AND file = '' ORDER BY key FOR NO KEY UPDATE"
        if connection.exec_driver_sql(empty, (columns[0],)).first() is not None:
            connection.exec_driver_sql(
                "UPDATE test_cases c SET framework = CASE WHEN c.framework = '' THEN t.framework ELSE c.framework END,"
                f" file = t.file, line = t.line FROM {_TOLD} WHERE c.key = t.key AND c.file = ''",
                tuple(columns),
            )
        return new

    def _tests(self, connection: Connection, keys: list[bytes]) -> tuple[dict[bytes, int], dict[bytes, str]]:
        """Return ids and files of the test cases that are there."""
        query = "SELECT key, id, file FROM test_cases WHERE key = ANY(%b)"
        found = [(bytes(key), id_, file) for key, id_, file in connection.exec_driver_sql(query, (keys,))]
        return {key: id_ for key, id_, _ in found}, {key: file for key, _, file in found}

    def ensure_failures(
        self, connection: Connection, failures: Sequence[FailureRow], *, short: bool = False
    ) -> dict[tuple[bytes, bytes], int]:
        """Insert the failures that are not there yet; return the id of each pair of hashes, and lock them."""
        ids: dict[tuple[bytes, bytes], int] = {}
        while missing := [one for one in failures if (one.fingerprint, one.detail_hash) not in ids]:
            ids |= self._failures(connection, missing)
            new = [one for one in missing if (one.fingerprint, one.detail_hash) not in ids]
            if new:
                # They are looked for once more: somebody may prune them before we have locked them.
                with nullcontext(connection) if short else apart(connection) as here:
                    self._insert_failures(here, sorted(new))
        return ids

    def _insert_failures(self, connection: Connection, failures: Sequence[FailureRow]) -> None:
        connection.exec_driver_sql(
            "INSERT INTO failures (fingerprint, detail_hash, type, message, detail)"
            " SELECT * FROM unnest(%b::bytea[], %b::bytea[], %s::text[], %s::text[], %s::text[])"
            " ON CONFLICT DO NOTHING",
            tuple(list(column) for column in zip(*failures, strict=True)),
        )

    def _failures(self, connection: Connection, failures: Sequence[FailureRow]) -> dict[tuple[bytes, bytes], int]:
        """Return the ids of those that are there, and keep others from deleting them."""
        found = connection.exec_driver_sql(
            "SELECT f.fingerprint, f.detail_hash, f.id FROM failures f JOIN unnest(%b::bytea[], %b::bytea[]) AS w(a, b)"
            " ON f.fingerprint = w.a AND f.detail_hash = w.b FOR KEY SHARE OF f",
            ([one.fingerprint for one in failures], [one.detail_hash for one in failures]),
        )
        return {(bytes(fingerprint), bytes(detail)): number for fingerprint, detail, number in found}

    def ensure_properties(self, connection: Connection, sets: Mapping[bytes, Entries], *, short: bool = False) -> None:
        """Insert the sets of properties that are not there yet, by hash."""
        query = "SELECT hash FROM property_sets WHERE hash = ANY(%b)"
        there = {bytes(key) for (key,) in connection.exec_driver_sql(query, (list(sets),))}
        new = [{"hash": key, "entries": sets[key]} for key in sorted(sets.keys() - there)]
        if new:
            with nullcontext(connection) if short else apart(connection) as here:
                here.execute(NEW_PROPERTY_SET, new)

    def failures_there(self, connection: Connection, ids: Sequence[int]) -> set[int]:
        """Return which of these failures are there, and keep others from deleting them."""
        if not ids:
            return set()
        query = "SELECT id FROM failures WHERE id = ANY(%s) ORDER BY id FOR KEY SHARE"
        return {number for (number,) in connection.exec_driver_sql(query, (list(ids),))}

    def insert_results(self, connection: Connection, results: Sequence[StoredResult], day: date) -> None:
        """Insert results, in order."""
        self._waiting.add(results, day)
        self._copy_if_many(connection)

    def insert_passes(
        self, connection: Connection, of: Origin, tests: Sequence[int], durations: Sequence[float]
    ) -> None:
        """Insert first attempts that passed, of the test cases with these ids, in order."""
        self._waiting.add_passes(of.run_id, of.artifact_id, of.day, tests, durations)
        self._copy_if_many(connection)

    def _copy_if_many(self, connection: Connection) -> None:
        if self._waiting.size > _COPY_BYTES:
            self.write_out(connection)

    def expect_many(self, connection: Connection, *, completes: bool = True, elsewhere: int = 0) -> None:
        """Do without the index by test where these are the first results."""
        self._filling.results += elsewhere
        self._filling.go_on(connection, completes=completes)

    def completing(self, connection: Connection) -> AbstractContextManager[None]:
        """Build the index by test while the block is being done, where this ingest left it out."""
        return self._filling.ending(connection)

    def complete(self, connection: Connection) -> None:
        """Build the index by test where it is missing; most of the time it is there."""
        self._filling.end(connection)

    def forget(self) -> None:
        """Forget results that wait: their transaction is over."""
        self._waiting = CopiedRows()

    def write_out(self, connection: Connection) -> None:
        """Copy what waits."""
        waiting, self._waiting = self._waiting, CopiedRows()
        if not waiting.size:
            return
        for month in sorted(waiting.days - self._months):
            ensure_partition(connection, month)
        # Only once it has worked: what was pruned meanwhile is made anew when the transaction is run again.
        self._months -= waiting.days
        with _copying(connection, f"COPY results ({COLUMNS}) FROM STDIN (FORMAT binary)") as copy:
            copy.write(waiting.document())
        self._filling.results += waiting.rows
        self._months |= waiting.days

    def max_attempts(self, connection: Connection, run_id: int, test_ids: Iterable[int]) -> dict[int, int]:
        """Return the highest attempt stored in the run, for those of `test_ids` that have one."""
        self.write_out(connection)
        # By the run's artifacts: each of them is looked up once in the index of a partition, and not each test.
        found = connection.exec_driver_sql(
            "SELECT test_case_id, max(attempt) FROM results"
            " WHERE artifact_id = ANY(ARRAY(SELECT id FROM artifacts WHERE run_id = %s))"
            " AND run_id = %s AND test_case_id = ANY(%s) GROUP BY test_case_id",
            (run_id, run_id, list(test_ids)),
        )
        return {row[0]: row[1] for row in found}

    def delete_results(self, connection: Connection, run_id: int, kind: str, test_ids: Iterable[int]) -> int:
        """Delete the results of these tests that the run's artifacts of `kind` brought; return how many."""
        self.write_out(connection)
        connection.exec_driver_sql(KEEP_ROLLUPS_OF_RUN, (run_id,))
        deleted = connection.exec_driver_sql(
            "DELETE FROM results WHERE run_id = %s AND test_case_id = ANY(%s)"
            " AND artifact_id = ANY(ARRAY(SELECT id FROM artifacts WHERE run_id = %s AND kind = %s))",
            (run_id, list(test_ids), run_id, kind),
        ).rowcount
        if deleted:
            connection.exec_driver_sql(STALE_ROLLUPS.format("%s", "%s", "%s"), (run_id, run_id, kind))
        return deleted
