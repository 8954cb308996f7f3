"""Fill a PostgreSQL database with made-up results by the COPY that ingest uses, for `benchmarks.scale`."""

import time
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, insert

from flakehunter.db.bulk import PostgresBulk
from flakehunter.db.engine import open_database
from flakehunter.db.queries.rollups import update_rollups
from flakehunter.db.schema import Artifact, Failure, Project, Run, TestCase
from flakehunter.model import TestIdentity

TESTS = 2000
"""Results of a run: each test once."""

RUNS_AT_ONCE = 50
"""Runs of one transaction: 100,000 results."""

FAILS_ONE_IN = 100
FLAKY_ONE_IN = 10
"""Tests that fail at all."""

START = datetime(2026, 1, 1, tzinfo=UTC)
RUNS_A_DAY = 288


def fill(url: str, results: int) -> tuple[float, float]:
    """Write so many results; return the seconds that writing and rolling up took."""
    engine = open_database(url, create=True)
    try:
        with engine.begin() as connection:
            _write_tests(connection)
        before = time.perf_counter()
        bulk = PostgresBulk()
        runs = max(1, results // TESTS)
        for begin in range(0, runs, RUNS_AT_ONCE):
            with engine.begin() as connection:
                _write_runs(connection, bulk, range(begin + 1, min(begin + RUNS_AT_ONCE, runs) + 1))
        between = time.perf_counter()
        with engine.begin() as connection:
            update_rollups(connection, "default")
        return between - before, time.perf_counter() - between
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


def _write_runs(connection: Connection, bulk: PostgresBulk, numbers: range) -> None:
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
    for number, moment in moments.items():
        rows = []
        for test in range(1, TESTS + 1):
            fails = test % FLAKY_ONE_IN == 0 and (test * 7919 + number * 104_729) % FAILS_ONE_IN == 0
            outcome, failure = ("failed", 1) if fails else ("passed", None)
            rows.append((test, number, number, 1, outcome, 0.01, failure))
        bulk.insert_results(connection, rows, moment.date())
