"""Rows into SQLite, through the driver itself."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import date, datetime
from functools import cache
from itertools import chain, islice
from typing import Any

from sqlalchemy.engine import Connection

from flakehunter.db.bulk import (
    NEW_ARTIFACT,
    NEW_PROPERTY_SET,
    RESULT_COLUMNS,
    STALE_ROLLUPS,
    Keyed,
    Origin,
    StoredResult,
    artifact_fields,
    driver_of,
)
from flakehunter.db.engine import readonly
from flakehunter.db.indexes import build_index_by_test, has_index_by_test, leave_out_index_by_test
from flakehunter.db.rows import ArtifactRow, Entries, FailureRow
from flakehunter.db.schema import UtcDateTime

_CHUNK = 500
"""Keys in one IN list: SQLite before 3.32 takes 999 variables."""

_ROWS_A_STATEMENT = 100
"""`executemany` opens the table and its indexes anew for each row, which takes as long as to insert it."""

_MOMENT = UtcDateTime()

_FILL = """ON CONFLICT (key) DO UPDATE SET
    framework = CASE WHEN test_cases.framework = '' THEN excluded.framework ELSE test_cases.framework END,
    file = excluded.file, line = excluded.line
    WHERE test_cases.file = '' AND excluded.file <> ''"""


def _chunks(items: Iterable[Any]) -> Iterator[list[Any]]:
    iterator = iter(items)
    while chunk := list(islice(iterator, _CHUNK)):
        yield chunk


def _marks(count: int) -> str:
    return ",".join("?" * count)


@cache
def _results(rows: int) -> str:
    """Return the statement for so many results."""
    return f"INSERT INTO results ({RESULT_COLUMNS}) VALUES {','.join([f'({_marks(7)})'] * rows)}"


@cache
def _passes(rows: int) -> str:
    """Return the statement for so many passes: run and artifact, then test and duration of each."""
    columns = "column1, ?, ?, 1, 'passed', column2, NULL"
    return f"INSERT INTO results ({RESULT_COLUMNS}) SELECT {columns} FROM (VALUES {','.join(['(?,?)'] * rows)})"


def _insert(
    connection: Connection, statement: Callable[[int], str], width: int, values: list[Any], common: tuple[int, ...] = ()
) -> None:
    """Insert rows of so many values each, all in one list; `common` comes before those of each statement."""
    driver, step = driver_of(connection), width * _ROWS_A_STATEMENT
    for start in range(0, len(values), step):
        part = values[start : start + step]
        driver.execute(statement(len(part) // width), (*common, *part))


class SqliteBulk:
    """SQLite through the driver itself: what SQLAlchemy does for each statement would halve the rate."""

    def insert_artifact(self, connection: Connection, run_id: int, artifact: ArtifactRow, now: datetime) -> int | None:
        """Insert an artifact and return its id; None, and nothing is done, where the run has this content already."""
        as_text = _MOMENT.bind_processor(connection.dialect)
        assert as_text is not None
        found = driver_of(connection).execute(
            NEW_ARTIFACT.format(*"???????"), (run_id, *artifact_fields(artifact), as_text(now))
        )
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
        connection.execute(NEW_PROPERTY_SET, [{"hash": key, "entries": sets[key]} for key in sorted(sets)])

    def failures_there(self, connection: Connection, ids: Sequence[int]) -> set[int]:
        """Return which of these failures are there; nobody else can write now."""
        there: set[int] = set()
        for chunk in _chunks(ids):
            query = f"SELECT id FROM failures WHERE id IN ({_marks(len(chunk))})"
            there.update(number for (number,) in driver_of(connection).execute(query, chunk))
        return there

    def insert_results(self, connection: Connection, results: Sequence[StoredResult], _day: date) -> None:
        """Insert results, in order."""
        _insert(connection, _results, 7, list(chain.from_iterable(results)))

    def insert_passes(
        self, connection: Connection, of: Origin, tests: Sequence[int], durations: Sequence[float]
    ) -> None:
        """Insert first attempts that passed, of the test cases with these ids, in order."""
        rows: list[float] = [0.0] * (2 * len(tests))
        rows[::2], rows[1::2] = tests, durations
        _insert(connection, _passes, 2, rows, (of.run_id, of.artifact_id))

    def expect_many(self, connection: Connection, *, completes: bool = True, elsewhere: int = 0) -> None:
        """Do without the index by test where these are the first results."""
        with connection.begin():
            leave_out_index_by_test(connection)

    def completing(self, connection: Connection) -> AbstractContextManager[None]:
        """Nothing can be done beside the block: SQLite has one writer."""
        return nullcontext()

    def complete(self, connection: Connection) -> None:
        """Build the index by test where it is missing; most of the time it is there."""
        with readonly(connection.engine).connect() as reader:
            there = has_index_by_test(reader)
        if not there:
            with connection.begin():
                build_index_by_test(connection)

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
            connection.exec_driver_sql(STALE_ROLLUPS.format("?", "?", "?"), (run_id, run_id, kind))
        return deleted
