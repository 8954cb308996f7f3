"""What many jobs bring at once, on PostgreSQL: nobody waits for the end of another's transaction, however long."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Engine, event

from flakehunter.db.artifacts import ArtifactWriter
from flakehunter.db.engine import open_database
from flakehunter.db.rows import ArtifactRow, Batch, CaseRow, FailureRow, Known, PropertyRow, RunRow
from flakehunter.db.write import Writer
from tests.databases import Server

pytestmark = pytest.mark.needs("postgres")
Query = Callable[..., list[tuple[Any, ...]]]
NO_WAITING = "&options=-c%20lock_timeout%3D3s"
"""Whoever waits for the test's other writer, which does not go on meanwhile, would wait for ever: an error instead."""


@pytest.fixture
def url(postgres_server: Server) -> Iterator[str]:
    """Give a database with tables."""
    made = postgres_server.create(tables=True)
    yield made + NO_WAITING
    postgres_server.drop(made)


@contextmanager
def writer(url: str) -> Iterator[Writer]:
    engine: Engine = open_database(url)
    try:
        with Writer(engine, "p") as made:
            yield made
    finally:
        engine.dispose()


@contextmanager
def artifact(out: Writer, job: int) -> Iterator[ArtifactWriter]:
    """Open the artifact of a job with a run of its own."""
    row = ArtifactRow(bytes([job]) * 32, f"{job}.xml", "junit", "pytest", 1)
    with out.artifact(RunRow(external_id=str(job), commit="c"), row) as made:
        yield made


def batch(*names: str, file: str = "") -> Batch:
    """Return a batch in which each test fails, with a property; and a plain pass."""
    known = Known()
    known.rows.append(CaseRow("s", "C", "passes"))
    return Batch(
        tests=[CaseRow("s", "C", name, file=file) for name in names],
        results=[(place, 1, "failed", 0.1, place) for place in range(len(names))],
        failures=[FailureRow(name.encode().ljust(16), name.encode().ljust(16), "T", name, "") for name in names],
        properties=[PropertyRow("s", place, 1, (("of", name),)) for place, name in enumerate(names)],
        known=known,
        passed=[0],
        durations=[0.1],
    )


COUNTS = "SELECT (SELECT count(*) FROM {}), count(DISTINCT run_id) FROM results"


@pytest.mark.parametrize("ahead", [True, False], ids=["ahead", "in the transaction"])
def test_jobs_that_bring_the_same_do_not_wait_for_each_other(url: str, ahead: bool, query: Query) -> None:
    with writer(url) as first, writer(url) as second:
        if ahead:
            first.insert_ahead([batch("a", "b")])
            second.insert_ahead([batch("b", "a")])
        with artifact(first, 1) as slow:
            slow.add(batch("a", "b"))
            with artifact(second, 2) as quick:
                quick.add(batch("b", "a"))
            slow.add(batch("c"))
    for table, count in (("test_cases", 4), ("failures", 3), ("property_sets", 3), ("results", 8)):
        assert query(url, COUNTS.format(table)) == [(count, 2)], table


def test_jobs_that_bring_the_same_in_another_order_do_not_lock_each_other_out(url: str, query: Query) -> None:
    with writer(url) as first, writer(url) as second, artifact(first, 1) as one, artifact(second, 2) as other:
        one.add(batch("a"))
        other.add(batch("b"))
        one.add(batch("b"))
        other.add(batch("a"))
    assert query(url, COUNTS.format("test_cases")) == [(3, 2)]


def test_what_was_inserted_ahead_has_the_order_of_the_file(url: str, query: Query) -> None:
    names = [f"t{number * 7 % 30}" for number in range(30)]
    with writer(url) as out:
        out.insert_ahead([batch(*names)])
    assert query(url, "SELECT name FROM test_cases WHERE name <> 'passes' ORDER BY id") == [(name,) for name in names]


def test_many_tests_are_inserted_in_parts_each_in_the_order_of_the_file(
    url: str, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flakehunter.db.shared.TESTS_AT_ONCE", 4)
    names = [f"t{number * 7 % 11}" for number in range(11)]
    with writer(url) as first, writer(url) as second:
        first.insert_ahead([batch(*names[:5])])
        second.insert_ahead([batch(*names)])
        assert {test.name for test in second.tests} == {*names, "passes"}
        assert dict(query(url, "SELECT name, id FROM test_cases")) == {
            test.name: number for test, number in second.tests.items()
        }
    parts = query(url, "SELECT array_agg(name ORDER BY id) FROM test_cases GROUP BY xmin::text")
    expected = [names[:4], [names[4], "passes"], names[5:8], names[8:]]
    assert sorted(part for (part,) in parts) == sorted(expected)


def test_a_file_that_is_told_later_is_filled_in_while_others_write(url: str, query: Query) -> None:
    with writer(url) as first, writer(url) as second:
        with artifact(first, 1) as slow:
            slow.add(batch("a"))
            with artifact(second, 2) as quick:
                quick.add(batch("a", file="a.py"))
        with artifact(first, 3) as late:
            late.add(batch("a", file="b.py"))
    assert query(url, "SELECT file FROM test_cases WHERE name = 'a'") == [("a.py",)], "the first one stays"


def test_a_text_that_is_pruned_between_is_inserted_anew(url: str, query: Query) -> None:
    with writer(url) as out:
        out.insert_ahead([batch("a")])
        with out.connection.begin():
            out.connection.exec_driver_sql("DELETE FROM failures")
        with artifact(out, 1) as made:
            made.add(batch("a"))
    whole = "SELECT f.message FROM results r JOIN failures f ON f.id = r.failure_id"
    assert query(url, whole) == [("a",)]


def test_a_job_keeps_one_connection_when_it_has_inserted_what_is_new(url: str) -> None:
    opened, closed = [], []
    with writer(url) as out, artifact(out, 1) as made:
        event.listen(out.connection.engine, "connect", lambda driver, _: opened.append(id(driver)))
        event.listen(out.connection.engine, "close_detached", lambda driver: closed.append(id(driver)))
        made.add(batch("a"))
        assert opened
        assert closed == opened
