"""A first large ingest into PostgreSQL writes results without their index by test; nobody waits for that."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from sqlalchemy import Connection, text

from flakehunter.db import filling
from flakehunter.db.bulk_postgres import PostgresBulk
from flakehunter.db.queries import rollups
from flakehunter.db.rows import Written
from flakehunter.ingest import writing
from flakehunter.ingest.layout import compile_layout
from flakehunter.ingest.pipeline import IngestOptions, Summary, ingest
from flakehunter.ingest.runs import RunNaming
from flakehunter.ingest.sources import Source
from tests.databases import indexed, opened, write_passes

pytestmark = pytest.mark.needs("postgres")
OPTIONS = IngestOptions(naming=RunNaming(layout=compile_layout("{run_id}.xml")), jobs=1)
HANG_S = 300.0
ONE_RESULT = text(
    "INSERT INTO results (test_case_id, run_id, artifact_id, attempt, day, outcome)"
    " VALUES (1, 1, 1, 1, '1999-01-01', 'passed')"
)


def end(connection: Connection, url: str) -> None:
    """End a connection as the death of its process does, and wait for the server to be done with it."""
    pid = connection.scalar(text("SELECT pg_backend_pid()"))
    connection.rollback()
    with opened(url) as other:
        assert other.scalar(text("SELECT pg_terminate_backend(:pid, 60000)"), {"pid": pid})
    connection.invalidate()


def watched(folder: Path, url: str) -> list[bool]:
    """Ingest; return whether the index was there each time that something more was committed."""
    seen: list[bool] = []
    results = 0

    def look(_source: Source, summary: Summary) -> None:
        nonlocal results
        if summary.new_results > results:
            results = summary.new_results
            seen.append(indexed(url))

    ingest([folder], url, OPTIONS, look)
    return seen


@pytest.fixture
def small_transactions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "RESULTS_AT_ONCE", 20)


@pytest.mark.usefixtures("small_transactions")
def test_it_is_built_at_the_end_of_the_first_large_ingest_only(postgres_database: str, tmp_path: Path) -> None:
    first = watched(write_passes(tmp_path / "first", 10), postgres_database)
    assert first
    assert not any(first)
    assert indexed(postgres_database)
    second = watched(write_passes(tmp_path / "second", 10), postgres_database)
    assert not second, "the same files are known"
    with opened(postgres_database) as connection:
        partitions = connection.scalars(text("SELECT indexdef FROM pg_indexes WHERE tablename ~ 'results_[0-9]'")).all()
    assert any("(test_case_id, run_id)" in one for one in partitions)


def test_a_small_ingest_keeps_it(postgres_database: str, tmp_path: Path) -> None:
    watched(write_passes(tmp_path / "runs", 10), postgres_database)
    assert indexed(postgres_database)


@pytest.mark.usefixtures("small_transactions")
def test_it_stays_where_there_are_results(postgres_database: str, tmp_path: Path) -> None:
    with opened(postgres_database) as connection:
        connection.execute(ONE_RESULT)
        connection.commit()
    assert all(watched(write_passes(tmp_path / "runs", 10), postgres_database))


@pytest.mark.usefixtures("small_transactions")
def test_it_stays_where_somebody_is_writing_results(postgres_database: str, tmp_path: Path) -> None:
    with opened(postgres_database) as other:
        other.execute(ONE_RESULT)
        seen = watched(write_passes(tmp_path / "runs", 10), postgres_database)
        other.rollback()
    assert seen
    assert all(seen)


@pytest.mark.usefixtures("small_transactions")
def test_it_is_built_once_there_are_very_many(
    postgres_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filling, "MOST_WITHOUT", 30)
    seen = watched(write_passes(tmp_path / "runs", 20), postgres_database)
    assert seen[0] is False
    assert seen[-1]


@pytest.mark.usefixtures("small_transactions")
def test_it_is_built_while_the_rollup_is_made(
    postgres_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = rollups.update_rollups
    built: list[bool] = []

    def when_built(connection: Connection, project: str, written: Written, *, told_only: bool) -> int:
        end = time.monotonic() + HANG_S
        while not indexed(postgres_database) and time.monotonic() < end:
            time.sleep(0.01)
        built.append(indexed(postgres_database))
        return made(connection, project, written, told_only=told_only)

    monkeypatch.setattr(rollups, "update_rollups", when_built)
    ingest([write_passes(tmp_path / "runs", 10)], postgres_database, OPTIONS)
    assert built == [True]


def test_what_could_not_be_built_beside_the_rollup_is_built_after_it(
    postgres_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filling, "WAIT", "10ms")
    bulk = PostgresBulk()
    with opened(postgres_database) as mine, opened(postgres_database) as other:
        bulk.expect_many(mine)
        other.execute(ONE_RESULT)
        with bulk.completing(mine):
            pass
        assert not indexed(postgres_database)
        other.commit()
        bulk.complete(mine)
    assert indexed(postgres_database)


def test_what_a_killed_ingest_left_out_is_built_by_the_next(postgres_database: str, tmp_path: Path) -> None:
    with opened(postgres_database) as killed:
        PostgresBulk().expect_many(killed)
        assert not indexed(postgres_database)
        ingest([write_passes(tmp_path / "one", 1)], postgres_database, OPTIONS)
        assert not indexed(postgres_database), "somebody may still be filling"
        end(killed, postgres_database)
    (tmp_path / "two").mkdir()
    (tmp_path / "two/1.xml").write_text('<testsuite name="s"><testcase classname="c" name="t" time="1"/></testsuite>')
    ingest([tmp_path / "two"], postgres_database, OPTIONS)
    assert indexed(postgres_database)


def test_of_two_who_fill_the_last_builds_it(postgres_database: str) -> None:
    first, second = PostgresBulk(), PostgresBulk()
    with opened(postgres_database) as one, opened(postgres_database) as other:
        first.expect_many(one)
        second.expect_many(other)
        first.complete(one)
        assert not indexed(postgres_database)
        second.complete(other)
    assert indexed(postgres_database)


def test_a_writer_who_is_at_it_for_long_is_not_waited_for(
    postgres_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filling, "WAIT", "10ms")
    bulk = PostgresBulk()
    with opened(postgres_database) as mine, opened(postgres_database) as other:
        bulk.expect_many(mine)
        other.execute(ONE_RESULT)
        bulk.complete(mine)
        assert not indexed(postgres_database)
        other.commit()
        PostgresBulk().complete(other)
    assert indexed(postgres_database)


def test_of_two_who_look_at_the_same_moment_one_drops_it(
    postgres_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    both, drop = Barrier(2, timeout=300), filling._drop

    def drop_when_both_have_looked(connection: Connection) -> None:
        both.wait()
        drop(connection)

    def begin() -> None:
        with opened(postgres_database) as connection:
            PostgresBulk().expect_many(connection, completes=False)

    with opened(postgres_database):
        monkeypatch.setattr(filling, "_drop", drop_when_both_have_looked)
        with ThreadPoolExecutor(2) as threads:
            for done in [threads.submit(begin), threads.submit(begin)]:
                done.result()

    assert not indexed(postgres_database)


def test_who_leaves_it_to_somebody_else_drops_it_and_keeps_nobody_from_building_it(postgres_database: str) -> None:
    worker = PostgresBulk()
    with opened(postgres_database) as connection:
        worker.expect_many(connection, completes=False)
        assert not indexed(postgres_database)
        ended = PostgresBulk()
        with opened(postgres_database) as other:
            ended.complete(other)
        assert indexed(postgres_database)


def test_results_that_others_have_inserted_count(postgres_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filling, "MOST_WITHOUT", 30)
    bulk = PostgresBulk()
    with opened(postgres_database) as connection:
        bulk.expect_many(connection, elsewhere=30)
        assert not indexed(postgres_database)
        bulk.expect_many(connection, elsewhere=1)
        assert indexed(postgres_database)
        bulk.complete(connection)
