"""Bulk statements, one class a database server: many rows an INSERT on SQLite, COPY on PostgreSQL.

Measured on 2 cores with Python 3.11: the ORM writes 12-18 thousand results a second, Core `insert` 139 thousand, the
driver's own `executemany` 269 thousand, many rows an INSERT 510 thousand, COPY 221 thousand. Nothing here knows about
files or caches.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from datetime import date, datetime
from functools import cache
from itertools import chain, islice
from typing import Any, NamedTuple, Protocol

from sqlalchemy import bindparam, text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from flakehunter.db.copying import COLUMNS, CopiedRows
from flakehunter.db.indexes import build_index_by_test, leave_out_index_by_test
from flakehunter.db.locks import KEEP_ROLLUPS_OF_RUN, apart
from flakehunter.db.partitions import ensure_partition
from flakehunter.db.rows import ArtifactRow, CaseRow, Entries, FailureRow
from flakehunter.db.schema import Document, UtcDateTime

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

    def expect_many(self, connection: Connection) -> None:
        """Get ready for very many results, which the transaction that begins will bring."""

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
    return PostgresBulk() if dialect == "postgresql" else SqliteBulk()


def _chunks(items: Iterable[Any]) -> Iterator[list[Any]]:
    iterator = iter(items)
    while chunk := list(islice(iterator, _CHUNK)):
        yield chunk


def _marks(count: int) -> str:
    return ",".join("?" * count)


_ARTIFACT = (
    "INSERT INTO artifacts (run_id, sha256, path, kind, format, size_bytes, ingested_at)"
    " VALUES ({}, {}, {}, {}, {}, {}, {}) ON CONFLICT (run_id, sha256) DO NOTHING RETURNING id"
)
_MOMENT = UtcDateTime()


def _fields(artifact: ArtifactRow) -> tuple[bytes, str, str, str, int]:
    return artifact.sha256, artifact.path, artifact.kind, artifact.format, artifact.size_bytes


_COPY_BYTES = 8 << 20
"""What waits for one COPY at most: 100,000 results."""

_ROWS_A_STATEMENT = 100
"""`executemany` opens the table and its indexes anew for each row, which takes as long as to insert it."""


def driver_of(connection: Connection) -> Any:
    """Return the driver's own connection, for statements that are too many to go through SQLAlchemy."""
    return connection.connection.driver_connection


@cache
def _insert_results(rows: int) -> str:
    """Return SQLite's statement for so many results."""
    return f"INSERT INTO results ({RESULT_COLUMNS}) VALUES {','.join([f'({_marks(7)})'] * rows)}"


@cache
def _insert_passes(rows: int) -> str:
    """Return SQLite's statement for so many passes: run and artifact, then test and duration of each."""
    columns = "column1, ?, ?, 1, 'passed', column2, NULL"
    return f"INSERT INTO results ({RESULT_COLUMNS}) SELECT {columns} FROM (VALUES {','.join(['(?,?)'] * rows)})"


_PROPERTY_SET = text(
    "INSERT INTO property_sets (hash, entries) VALUES (:hash, :entries) ON CONFLICT (hash) DO NOTHING"
).bindparams(bindparam("entries", type_=Document))

_TOLD = (
    "unnest(%b::bytea[], %b::text[], %b::text[], %b::text[], %b::text[], %b::text[], %s::int[])"
    " AS t(key, suite, classname, name, framework, file, line)"
)
"""Test cases as PostgreSQL takes them: columns.

`%b` has psycopg send an array as it is. Measured: 10,000 keys are 3 ms of CPU so, and 240 to 290 in `%s`, as text.
"""

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
    """SQLite through the driver itself: what SQLAlchemy does for each statement would halve the rate."""

    def insert_artifact(self, connection: Connection, run_id: int, artifact: ArtifactRow, now: datetime) -> int | None:
        """Insert an artifact and return its id; None, and nothing is done, where the run has this content already."""
        as_text = _MOMENT.bind_processor(connection.dialect)
        assert as_text is not None
        found = driver_of(connection).execute(_ARTIFACT.format(*"???????"), (run_id, *_fields(artifact), as_text(now)))
        made = found.fetchone()
        return None if made is None else int(made[0])

    def ensure_tests(
        self, connection: Connection, project_id: int, tests: Sequence[Keyed], *, short: bool = False
    ) -> dict[bytes, int]:
        """Insert the test cases that are not there yet; return the id of each key."""
        driver_of(connection).executemany(
            "INSERT INTO test_cases (project_id, key, suite, classname, name, framework, file, line)"
            f" VALUES (?, ?, ?, ?, ?, ?, ?, ?) {_FILL}",
            [(project_id, key, *test) for key, test in tests],
        )
        ids: dict[bytes, int] = {}
        for chunk in _chunks([key for key, _ in tests]):
            query = f"SELECT key, id FROM test_cases WHERE key IN ({_marks(len(chunk))})"
            ids.update(driver_of(connection).execute(query, chunk))
        return ids

    def ensure_failures(
        self, connection: Connection, failures: Sequence[FailureRow], *, short: bool = False
    ) -> dict[tuple[bytes, bytes], int]:
        """Insert the failures that are not there yet; return the id of each pair of hashes."""
        driver = driver_of(connection)
        driver.executemany(
            "INSERT INTO failures (fingerprint, detail_hash, type, message, detail) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT DO NOTHING",
            failures,
        )
        query = "SELECT id FROM failures WHERE fingerprint = ? AND detail_hash = ?"
        pairs = [(failure.fingerprint, failure.detail_hash) for failure in failures]
        return {pair: driver.execute(query, pair).fetchone()[0] for pair in pairs}

    def ensure_properties(self, connection: Connection, sets: Mapping[bytes, Entries], *, short: bool = False) -> None:
        """Insert the sets of properties that are not there yet, by hash."""
        connection.execute(_PROPERTY_SET, [{"hash": key, "entries": sets[key]} for key in sorted(sets)])

    def failures_there(self, connection: Connection, ids: Sequence[int]) -> set[int]:
        """Return which of these failures are there; nobody else can write now."""
        there: set[int] = set()
        for chunk in _chunks(ids):
            query = f"SELECT id FROM failures WHERE id IN ({_marks(len(chunk))})"
            there.update(number for (number,) in driver_of(connection).execute(query, chunk))
        return there

    def insert_results(self, connection: Connection, results: Sequence[StoredResult], _day: date) -> None:
        """Insert results, in order."""
        driver = driver_of(connection)
        for start in range(0, len(results), _ROWS_A_STATEMENT):
            part = results[start : start + _ROWS_A_STATEMENT]
            driver.execute(_insert_results(len(part)), list(chain.from_iterable(part)))

    def insert_passes(
        self, connection: Connection, of: Origin, tests: Sequence[int], durations: Sequence[float]
    ) -> None:
        """Insert first attempts that passed, of the test cases with these ids, in order."""
        driver = driver_of(connection)
        rows = list(chain.from_iterable(zip(tests, durations, strict=True)))
        step = 2 * _ROWS_A_STATEMENT
        for start in range(0, len(rows), step):
            part = rows[start : start + step]
            driver.execute(_insert_passes(len(part) // 2), (of.run_id, of.artifact_id, *part))

    def expect_many(self, connection: Connection) -> None:
        """Do without the index by test where these are the first results."""
        leave_out_index_by_test(connection)

    def write_out(self, connection: Connection) -> None:
        """Nothing waits."""

    def forget(self) -> None:
        """Nothing waits."""

    def max_attempts(self, connection: Connection, run_id: int, test_ids: Iterable[int]) -> dict[int, int]:
        """Return the highest attempt stored in the run, for those of `test_ids` that have one."""
        build_index_by_test(connection)
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
    """PostgreSQL: one COPY for the results of many files, one statement over arrays for what may be there already."""

    def __init__(self) -> None:
        self._months: set[date] = set()
        """First days of months whose partitions are there."""
        self._waiting = CopiedRows()

    def insert_artifact(self, connection: Connection, run_id: int, artifact: ArtifactRow, now: datetime) -> int | None:
        """Insert an artifact and return its id; None, and nothing is done, where the run has this content already."""
        values = (run_id, *_fields(artifact), now)
        return connection.exec_driver_sql(_ARTIFACT.format(*["%s"] * len(values)), values).scalar()

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
                self._insert_tests(here, project_id, missing)
                ids |= self._tests(here, [key for key, _ in missing])[0]
        return ids

    def _insert_tests(self, connection: Connection, project_id: int, tests: Sequence[Keyed]) -> None:
        """Insert test cases, and tell the file of those that are there without one.

        Ids have the order of `tests`. Rows are inserted, and locked, in the order of their keys, or two jobs could
        wait for each other. Not ON CONFLICT DO UPDATE, which locks each row that is there, also where it changes none.
        """
        columns = [list(column) for column in zip(*((key, *test) for key, test in tests), strict=True)]
        connection.exec_driver_sql(
            "INSERT INTO test_cases (id, project_id, key, suite, classname, name, framework, file, line)"
            " SELECT t.id, %s, t.key, t.suite, t.classname, t.name, t.framework, t.file, t.line FROM"
            f" (SELECT nextval('test_cases_id_seq') AS id, * FROM {_TOLD}) t ORDER BY t.key ON CONFLICT DO NOTHING",
            (project_id, *columns),
        )
        placed = [place for place, (_, test) in enumerate(tests) if test.file]
        if not placed:
            return
        columns = [[column[place] for place in placed] for column in columns]
        empty = "SELECT key FROM test_cases WHERE key = ANY(%b) AND file = '' ORDER BY key FOR NO KEY UPDATE"
        if connection.exec_driver_sql(empty, (columns[0],)).first() is not None:
            connection.exec_driver_sql(
                "UPDATE test_cases c SET framework = CASE WHEN c.framework = '' THEN t.framework ELSE c.framework END,"
                f" file = t.file, line = t.line FROM {_TOLD} WHERE c.key = t.key AND c.file = ''",
                tuple(columns),
            )

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
                here.execute(_PROPERTY_SET, new)

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

    def expect_many(self, connection: Connection) -> None:
        """Nothing is to be done: COPY takes what comes."""

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
            connection.exec_driver_sql(_STALE.format("%s", "%s", "%s"), (run_id, run_id, kind))
        return deleted
