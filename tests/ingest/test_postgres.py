"""PostgreSQL in trouble: many jobs at once, connections that are cut in the middle, a server that is restarted."""

import multiprocessing
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from flakehunter.db.bulk_postgres import PostgresBulk
from flakehunter.db.engine import open_database
from flakehunter.db.rows import RunRow
from flakehunter.ingest.layout import compile_layout
from flakehunter.ingest.pipeline import IngestOptions, ingest
from flakehunter.ingest.runs import RunNaming
from tests.databases import Server, packed_results, running_server

pytestmark = pytest.mark.needs("postgres")
Query = Callable[..., list[tuple[Any, ...]]]
FORK = multiprocessing.get_context("fork")
JOBS = 12

ROWS = (
    "SELECT u.external_id, a.path, t.name, r.attempt, r.outcome, f.message"
    " FROM results r JOIN runs u ON u.id = r.run_id JOIN artifacts a ON a.id = r.artifact_id"
    " JOIN test_cases t ON t.id = r.test_case_id LEFT JOIN failures f ON f.id = r.failure_id ORDER BY 1, 2, 3, 4"
)
CUT = """
CREATE SEQUENCE cuts;
CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF nextval('cuts') = {at} THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER cut BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION cut();
"""
"""Ends the connection itself, in the middle of the statement that inserts the row of that number; once."""


def write(folder: Path, job: int, files: int = 2, tests: int = 50) -> Path:
    """Write the files of one CI job; all jobs know the same tests, and some fail."""
    place = folder / f"job{job}"
    place.mkdir(parents=True)
    for number in range(files):
        cases = "".join(
            f'<testcase classname="C{number}" name="t{test}" time="0.1">'
            + (f'<failure message="of job {job}">x</failure>' if test % 10 == job % 10 else "")
            + "</testcase>"
            for test in range(tests)
        )
        # Each job has a month of its own, so that partitions are made at the same time too.
        moment = f"2026-{job % 9 + 1:02}-01T10:00:00"
        (place / f"{number}.xml").write_text(f'<testsuite name="s" timestamp="{moment}">{cases}</testsuite>')
    return place


def take(folder: Path, url: str, job: int) -> None:
    naming = RunNaming(given=RunRow(external_id=str(job), commit=f"c{job}", job="linux"))
    ingest([folder], url, IngestOptions(naming=naming))


@pytest.fixture
def alone(tmp_path: Path, query: Query) -> list[tuple[Any, ...]]:
    """Give the rows that the jobs bring one after the other, undisturbed."""
    url = f"sqlite:///{tmp_path / 'alone.db'}"
    for job in range(JOBS):
        take(write(tmp_path / "in", job), url, job)
    return query(url, ROWS)


def test_many_jobs_at_once_lose_nothing_and_add_nothing_twice(
    postgres_database: str, alone: list[tuple[Any, ...]], tmp_path: Path, query: Query
) -> None:
    jobs = [FORK.Process(target=take, args=(tmp_path / f"in/job{job}", postgres_database, job)) for job in range(JOBS)]
    for one in jobs:
        one.start()
    for one in jobs:
        one.join()
    assert [one.exitcode for one in jobs] == [0] * JOBS
    assert query(postgres_database, ROWS) == alone
    assert packed_results(postgres_database) == len(alone), "rollups count a result once"


@pytest.mark.parametrize(
    ("table", "at"),
    [("results", 30), ("results", 75), ("test_cases", 20), ("artifacts", 2), ("rollups", 1)],
    ids=["first copy", "second copy", "tests", "artifact", "rollup"],
)
def test_a_connection_that_is_cut_loses_nothing_and_adds_nothing_twice(
    table: str, at: int, postgres_server: Server, alone: list[tuple[Any, ...]], tmp_path: Path, query: Query
) -> None:
    url = postgres_server.create(tables=True)
    engine = open_database(url)
    with engine.begin() as connection:
        connection.exec_driver_sql(CUT.format(at=at, table=table))
    engine.dispose()
    take(tmp_path / "in/job0", url, 0)
    assert query(url, "SELECT last_value > %s FROM cuts" % at) == [(True,)], "it was cut, and went on"  # noqa: UP031
    assert query(url, ROWS) == [row for row in alone if row[0] == "0"]
    assert packed_results(url) == 100
    postgres_server.drop(url)


def test_a_large_file_is_read_again_after_a_cut(
    postgres_server: Server, tmp_path: Path, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flakehunter.ingest.writing.WHOLE", 0)
    url = postgres_server.create(tables=True)
    engine = open_database(url)
    with engine.begin() as connection:
        connection.exec_driver_sql(CUT.format(at=30, table="results"))
    engine.dispose()
    take(write(tmp_path / "in", 1, files=1), url, 1)
    assert query(url, "SELECT count(*), count(DISTINCT test_case_id) FROM results") == [(50, 50)]
    postgres_server.drop(url)


def statements(files: range, folder: Path, url: str) -> int:
    """Ingest files that each have a run of their own; return how many statements the server was sent."""
    folder.mkdir()
    for number in files:
        passed = '<testcase classname="c" name="good" time="0.1"/>'
        failed = f'<testcase classname="c" name="bad" time="0.{number}"><failure message="gone"/></testcase>'
        document = f'<testsuite name="s" timestamp="2026-05-01T10:00:00">{passed}{failed}</testsuite>'
        (folder / f"{number}.xml").write_text(document)
    sent = 0

    def count(*_: Any) -> None:
        nonlocal sent
        sent += 1

    event.listen(Engine, "before_cursor_execute", count)
    try:
        ingest([folder], url, IngestOptions(naming=RunNaming(layout=compile_layout("{run_id}.xml")), jobs=1))
    finally:
        event.remove(Engine, "before_cursor_execute", count)
    return sent


def test_a_server_is_asked_once_for_all_files_of_a_transaction(postgres_server: Server, tmp_path: Path) -> None:
    url = postgres_server.create(tables=True)
    statements(range(1), tmp_path / "first", url)
    assert statements(range(1, 3), tmp_path / "few", url) == statements(range(3, 40), tmp_path / "many", url)
    postgres_server.drop(url)


def test_a_run_goes_on_in_the_next_transaction_without_a_look_at_its_results(
    postgres_server: Server, tmp_path: Path, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flakehunter.ingest.writing.RESULTS_AT_ONCE", 50)
    looked = []
    usual = PostgresBulk.max_attempts
    monkeypatch.setattr(PostgresBulk, "max_attempts", lambda *of: looked.append(of) or usual(*of))
    url = postgres_server.create(tables=True)
    take(write(tmp_path / "in", 1, files=6), url, 1)
    assert looked == []
    assert query(url, "SELECT count(*), max(attempt) FROM results") == [(300, 1)]
    postgres_server.drop(url)


@pytest.fixture
def own_server() -> Iterator[Server]:
    """Start a server that nobody else uses."""
    with running_server() as server:
        yield server


@pytest.mark.slow
def test_a_server_that_goes_away_during_ingest_is_waited_for(
    own_server: Server,
    alone: list[tuple[Any, ...]],
    tmp_path: Path,
    query: Query,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("flakehunter.ingest.writing.RESULTS_AT_ONCE", 100)
    url = own_server.create(tables=True)
    back = threading.Thread(target=own_server.start)
    seen = 0

    def observe(*_: Any) -> None:
        nonlocal seen
        seen += 1
        if seen == 7:
            own_server.crash()
            back.start()

    options = IngestOptions(naming=RunNaming(layout=compile_layout("job{run_id}/**")))
    assert ingest([tmp_path / "in"], url, options, observe).new_results == len(alone)
    back.join()
    assert query(url, ROWS) == alone
    assert packed_results(url) == len(alone)


def test_the_first_transactions_are_small_so_that_the_server_begins_soon(
    postgres_database: str, tmp_path: Path, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flakehunter.ingest.writing.RESULTS_BEHIND", (10, 20, 40))
    take(write(tmp_path / "in", 0, files=12, tests=10), postgres_database, 0)
    of_transactions = "SELECT count(*) FROM artifacts GROUP BY xmin::text ORDER BY min(id)"
    assert query(postgres_database, of_transactions) == [(1,), (2,), (4,), (4,), (1,)]
