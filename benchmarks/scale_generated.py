"""Fill a PostgreSQL database with made-up results by COPY, for `benchmarks.scale`."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, insert, text
from sqlalchemy.schema import CreateIndex, DropIndex

from flakehunter.db.engine import open_database
from flakehunter.db.partitions import ensure_partition
from flakehunter.db.queries.rollups import update_rollups
from flakehunter.db.schema import Artifact, Base, Failure, Project, Run, TestCase
from flakehunter.model import TestIdentity

TESTS = 2000
"""Results of a run: each test once."""

RUNS_AT_ONCE = 50
"""Runs of one transaction: 100,000 results."""

FAILS_ONE_IN = 100
FLAKY_ONE_IN = 10
"""Tests that fail at all."""

UNSTABLE = range(FLAKY_ONE_IN, TESTS + 1, FLAKY_ONE_IN)

COPY = "COPY results (test_case_id, run_id, artifact_id, attempt, day, outcome, duration_s, failure_id) FROM STDIN"

STABLE = "".join(f"{test}\t@\t@\t1\t#\tpassed\t0.01\t\\N\n" for test in range(1, TESTS + 1) if test not in UNSTABLE)
"""The rows of a run that are always the same, but for its number and its day: so the client hardly costs anything."""

START = datetime(2026, 1, 1, tzinfo=UTC)
RUNS_A_DAY = 288


@dataclass(frozen=True, slots=True)
class Filled:
    """Seconds that making the rows took."""

    copy_s: float
    indexes_s: float
    rollups_s: float


def fill(url: str, results: int) -> Filled:
    """Write so many results, then the indexes of the table, as a restored dump would, then the rollups."""
    engine = open_database(url, create=True)
    try:
        with engine.begin() as connection:
            _write_tests(connection)
            for index in Base.metadata.tables["results"].indexes:
                connection.execute(DropIndex(index))
        began = time.perf_counter()
        runs = max(1, results // TESTS)
        for begin in range(0, runs, RUNS_AT_ONCE):
            with engine.begin() as connection:
                _write_runs(connection, range(begin + 1, min(begin + RUNS_AT_ONCE, runs) + 1))
        copied = time.perf_counter()
        for index in Base.metadata.tables["results"].indexes:
            with engine.begin() as connection:
                connection.execute(CreateIndex(index))
        indexed = time.perf_counter()
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))
        ready = time.perf_counter()
        with engine.begin() as connection:
            update_rollups(connection, "default")
        return Filled(copied - began, indexed - copied, time.perf_counter() - ready)
    finally:
        engine.dispose()


def _write_tests(connection: Connection) -> None:
    connection.execute(insert(Project).values(id=1, name="default"))
    names = [TestIdentity("default", "suite", "tests.generated", f"test_{number}") for number in range(1, TESTS + 1)]
    rows = [
        {"id": number, "project_id": 1, "key": one.key, "suite": one.suite, "classname": one.classname}
        | {"name": one.name, "framework": "pytest", "file": ""}
        for number, one in enumerate(names, start=1)
    ]
    connection.execute(insert(TestCase), rows)
    text = {"type": "AssertionError", "message": "assert 1 == 2", "detail": "E       assert 1 == 2"}
    connection.execute(insert(Failure).values(id=1, fingerprint=b"\0" * 16, detail_hash=b"\0" * 16, **text))


def _write_runs(connection: Connection, numbers: range) -> None:
    moments = {number: START + timedelta(days=number / RUNS_A_DAY) for number in numbers}
    runs = [
        {"id": number, "project_id": 1, "external_id": str(number), "job": "test", "commit_sha": f"{number // 2:040x}"}
        | {"branch": "main", "started_at": moment}
        for number, moment in moments.items()
    ]
    connection.execute(insert(Run), runs)
    artifacts = [
        {"id": number, "run_id": number, "sha256": number.to_bytes(32, "big"), "path": f"{number}.xml", "kind": "junit"}
        | {"format": "pytest", "size_bytes": 1, "ingested_at": moment}
        for number, moment in moments.items()
    ]
    connection.execute(insert(Artifact), artifacts)
    for day in sorted({moment.date() for moment in moments.values()}):
        ensure_partition(connection, day)
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(COPY) as copy:
        for number, moment in moments.items():
            passed = STABLE.replace("@", str(number)).replace("#", f"{moment:%Y-%m-%d}")
            copy.write(passed + "".join(_unstable(test, number, moment) for test in UNSTABLE))


def _unstable(test: int, run: int, moment: datetime) -> str:
    fails = (test * 7919 + run * 104_729) % FAILS_ONE_IN == 0
    return f"{test}\t{run}\t{run}\t1\t{moment:%Y-%m-%d}\t" + ("failed\t0.01\t1\n" if fails else "passed\t0.01\t\\N\n")
