"""Bulk statements, one class a database server: plain `executemany` on SQLite, COPY on PostgreSQL.

Measured on 2 cores with Python 3.11: the ORM writes 12-18 thousand results a second, Core `insert` 139 thousand, the
driver's own `executemany` 269 thousand, COPY 221 thousand. Nothing here knows about files or caches.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from itertools import islice
from typing import Any, NamedTuple, Protocol

from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from flakehunter.db.locks import KEEP_ROLLUPS_OF_RUN, lock_new_tests
from flakehunter.db.partitions import ensure_partition
from flakehunter.db.rows import CaseRow, FailureRow

_CHUNK = 500
"""Keys in one IN list: SQLite before 3.32 takes 999 variables."""

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

    def ensure_tests(self, connection: Connection, project_id: int, tests: Sequence[Keyed]) -> dict[bytes, int]:
        """Insert the test cases that are not there yet; return the id of each key."""

    def ensure_failures(self, connection: Connection, failures: Sequence[FailureRow]) -> dict[tuple[bytes, bytes], int]:
        """Insert the failures that are not there yet; return the id of each pair of hashes."""

    def failures_there(self, connection: Connection, ids: Sequence[int]) -> set[int]:
        """Return which of these failures are there, and keep others from deleting them."""

    def insert_results(self, connection: Connection, results: Sequence[StoredResult], day: date) -> None:
        """Insert results, in order; `day` says in which partition, where there are some."""

    def insert_passes(
        self, connection: Connection, of: Origin, tests: Sequence[int], durations: Sequence[float]
    ) -> None:
        """Insert first attempts that passed, of the test cases with these ids, in order."""

    def max_attempts(self, connection: Connection, run_id: int, test_ids: Iterable[int]) -> dict[int, int]:
        """Return the highest attempt stored in the run, for those of `test_ids` that have one."""

    def delete_results(self, connection: Connection, run_id: int, kind: str, test_ids: Iterable[int]) -> int:
        """Delete the results of these tests that the run's artifacts of `kind` brought; return how many."""


def bulk_for(dialect: str) -> Bulk:
    """Return the statements for SQLAlchemy's dialect name."""
    return PostgresBulk() if dialect == "postgresql" else SqliteBulk()


def _chunks(items: Iterable[Any]) -> Iterator[list[Any]]:
    iterator = iter(items)
    while chunk := list(islice(iterator, _CHUNK)):
        yield chunk


def _marks(count: int) -> str:
    return ",".join("?" * count)


# What a file says of a test first stays: then the rows do not depend on where an ingest was interrupted.
_FILL = """ON CONFLICT (key) DO UPDATE SET
    framework = CASE WHEN test_cases.framework = '' THEN excluded.framework ELSE test_cases.framework END,
    file = excluded.file, line = excluded.line
    WHERE test_cases.file = '' AND excluded.file <> ''"""


# Results are deleted from artifacts that may be in a rollup already: that one and those after it are made anew.
_STALE = """DELETE FROM rollups WHERE project_id = (SELECT project_id FROM runs WHERE id = {})
    AND upto >= (SELECT min(id) FROM artifacts WHERE run_id = {} AND kind = {})"""


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


class SqliteBulk:
    """SQLite through the driver's executemany: SQLAlchemy's own parameter handling would halve the rate."""

    def ensure_tests(self, connection: Connection, project_id: int, tests: Sequence[Keyed]) -> dict[bytes, int]:
        """Insert the test cases that are not there yet; return the id of each key."""
        if tests:
            connection.exec_driver_sql(
                "INSERT INTO test_cases (project_id, key, suite, classname, name, framework, file, line)"
                f" VALUES (?, ?, ?, ?, ?, ?, ?, ?) {_FILL}",
                [(project_id, key, *test) for key, test in tests],
            )
        ids: dict[bytes, int] = {}
        for chunk in _chunks([key for key, _ in tests]):
            query = f"SELECT key, id FROM test_cases WHERE key IN ({_marks(len(chunk))})"
            ids.update((key, number) for key, number in connection.exec_driver_sql(query, tuple(chunk)))
        return ids

    def ensure_failures(self, connection: Connection, failures: Sequence[FailureRow]) -> dict[tuple[bytes, bytes], int]:
        """Insert the failures that are not there yet; return the id of each pair of hashes."""
        if failures:
            connection.exec_driver_sql(
                "INSERT INTO failures (fingerprint, detail_hash, type, message, detail) VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT DO NOTHING",
                [tuple(failure) for failure in failures],
            )
        ids: dict[tuple[bytes, bytes], int] = {}
        query = "SELECT id FROM failures WHERE fingerprint = ? AND detail_hash = ?"
        for failure in failures:
            pair = (failure.fingerprint, failure.detail_hash)
            ids[pair] = connection.exec_driver_sql(query, pair).scalar_one()
        return ids

    def failures_there(self, connection: Connection, ids: Sequence[int]) -> set[int]:
        """Return which of these failures are there; nobody else can write now."""
        there: set[int] = set()
        for chunk in _chunks(ids):
            query = f"SELECT id FROM failures WHERE id IN ({_marks(len(chunk))})"
            there.update(number for (number,) in connection.exec_driver_sql(query, tuple(chunk)))
        return there

    def insert_results(self, connection: Connection, results: Sequence[StoredResult], _day: date) -> None:
        """Insert results, in order."""
        connection.exec_driver_sql(
            f"INSERT INTO results ({RESULT_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)",
            results,
        )

    def insert_passes(
        self, connection: Connection, of: Origin, tests: Sequence[int], durations: Sequence[float]
    ) -> None:
        """Insert first attempts that passed, of the test cases with these ids, in order.

        What is the same in all of them stands in the statement: binding it for each row takes longer than the row.
        """
        driver: Any = connection.connection.driver_connection
        driver.executemany(
            f"INSERT INTO results ({RESULT_COLUMNS}) VALUES (?, {of.run_id}, {of.artifact_id}, 1, 'passed', ?, NULL)",
            zip(tests, durations, strict=True),
        )

    def max_attempts(self, connection: Connection, run_id: int, test_ids: Iterable[int]) -> dict[int, int]:
        """Return the highest attempt stored in the run, for those of `test_ids` that have one."""
        found: dict[int, int] = {}
        for chunk in _chunks(test_ids):
            query = (
                "SELECT test_case_id, max(attempt) FROM results INDEXED BY ix_results_test_case_id_run_id"
                f" WHERE run_id = ? AND test_case_id IN ({_marks(len(chunk))}) GROUP BY test_case_id"
            )
            found.update((test, attempt) for test, attempt in connection.exec_driver_sql(query, (run_id, *chunk)))
        return found

    def delete_results(self, connection: Connection, run_id: int, kind: str, test_ids: Iterable[int]) -> int:
        """Delete the results of these tests that the run's artifacts of `kind` brought; return how many."""
        deleted = 0
        for chunk in _chunks(test_ids):
            query = (
                f"DELETE FROM results WHERE run_id = ? AND test_case_id IN ({_marks(len(chunk))})"
                " AND artifact_id IN (SELECT id FROM artifacts WHERE run_id = ? AND kind = ?)"
            )
            deleted += connection.exec_driver_sql(query, (run_id, *chunk, run_id, kind)).rowcount
        if deleted:
            connection.exec_driver_sql(_STALE.format("?", "?", "?"), (run_id, run_id, kind))
        return deleted


class PostgresBulk:
    """PostgreSQL: COPY for results, one statement over arrays for what may be there already."""

    def __init__(self) -> None:
        self._months: set[date] = set()
        """First days of months whose partitions are there."""

    def ensure_tests(self, connection: Connection, project_id: int, tests: Sequence[Keyed]) -> dict[bytes, int]:
        """Insert the test cases that are not there yet; return the id of each key."""
        if not tests:
            return {}
        ids: dict[bytes, int] = {}

        def find() -> bool:
            nonlocal tests
            found, files = self._tests(connection, [key for key, _ in tests])
            ids.update(found)
            tests = [(key, test) for key, test in tests if key not in found or (test.file and not files[key])]
            return bool(tests)

        # Most of the time all are there, and then nobody has to wait for anybody.
        if find():
            lock_new_tests(connection, project_id, find)
        if not tests:
            return ids
        keys = [key for key, _ in tests]
        columns = [list(column) for column in zip(*(test for _, test in tests), strict=True)]
        connection.exec_driver_sql(
            "INSERT INTO test_cases (project_id, key, suite, classname, name, framework, file, line)"
            " SELECT %s, * FROM unnest(%s::bytea[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[],"
            f" %s::int[]) {_FILL}",
            (project_id, keys, *columns),
        )
        return ids | self._tests(connection, keys)[0]

    def _tests(self, connection: Connection, keys: list[bytes]) -> tuple[dict[bytes, int], dict[bytes, str]]:
        """Return ids and files of the test cases that are there."""
        query = "SELECT key, id, file FROM test_cases WHERE key = ANY(%s)"
        found = [(bytes(key), id_, file) for key, id_, file in connection.exec_driver_sql(query, (keys,))]
        return {key: id_ for key, id_, _ in found}, {key: file for key, _, file in found}

    def ensure_failures(self, connection: Connection, failures: Sequence[FailureRow]) -> dict[tuple[bytes, bytes], int]:
        """Insert the failures that are not there yet; return the id of each pair of hashes."""
        if not failures:
            return {}
        columns = [list(column) for column in zip(*failures, strict=True)]
        connection.exec_driver_sql(
            "INSERT INTO failures (fingerprint, detail_hash, type, message, detail)"
            " SELECT * FROM unnest(%s::bytea[], %s::bytea[], %s::text[], %s::text[], %s::text[])"
            " ON CONFLICT DO NOTHING",
            tuple(columns),
        )
        found = connection.exec_driver_sql(
            "SELECT f.fingerprint, f.detail_hash, f.id FROM failures f JOIN unnest(%s::bytea[], %s::bytea[]) AS w(a, b)"
            " ON f.fingerprint = w.a AND f.detail_hash = w.b FOR KEY SHARE OF f",
            (columns[0], columns[1]),
        )
        return {(bytes(fingerprint), bytes(detail)): number for fingerprint, detail, number in found}

    def failures_there(self, connection: Connection, ids: Sequence[int]) -> set[int]:
        """Return which of these failures are there, and keep others from deleting them."""
        if not ids:
            return set()
        query = "SELECT id FROM failures WHERE id = ANY(%s) ORDER BY id FOR KEY SHARE"
        return {number for (number,) in connection.exec_driver_sql(query, (list(ids),))}

    def insert_results(self, connection: Connection, results: Sequence[StoredResult], day: date) -> None:
        """Insert results, in order, in COPY's text form: all values are numbers or words that need no escaping."""
        month = day.replace(day=1)
        if month not in self._months:
            ensure_partition(connection, day)
        # Only once it has worked: what was pruned meanwhile is made anew when the transaction is run again.
        self._months.discard(month)
        null = r"\N"
        rows = [
            f"{test}\t{run}\t{artifact}\t{attempt}\t{outcome}\t"
            f"{null if duration is None else duration}\t"
            f"{null if failure is None else failure}\t{day}\n"
            for test, run, artifact, attempt, outcome, duration, failure in results
        ]
        with _copying(connection, f"COPY results ({RESULT_COLUMNS}, day) FROM STDIN") as copy:
            copy.write("".join(rows))
        self._months.add(month)

    def insert_passes(
        self, connection: Connection, of: Origin, tests: Sequence[int], durations: Sequence[float]
    ) -> None:
        """Insert first attempts that passed, of the test cases with these ids, in order."""
        rows = [
            (test, of.run_id, of.artifact_id, 1, "passed", duration, None)
            for test, duration in zip(tests, durations, strict=True)
        ]
        self.insert_results(connection, rows, of.day)

    def max_attempts(self, connection: Connection, run_id: int, test_ids: Iterable[int]) -> dict[int, int]:
        """Return the highest attempt stored in the run, for those of `test_ids` that have one."""
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
        connection.exec_driver_sql(KEEP_ROLLUPS_OF_RUN, (run_id,))
        deleted = connection.exec_driver_sql(
            "DELETE FROM results WHERE run_id = %s AND test_case_id = ANY(%s)"
            " AND artifact_id = ANY(ARRAY(SELECT id FROM artifacts WHERE run_id = %s AND kind = %s))",
            (run_id, list(test_ids), run_id, kind),
        ).rowcount
        if deleted:
            connection.exec_driver_sql(_STALE.format("%s", "%s", "%s"), (run_id, run_id, kind))
        return deleted
