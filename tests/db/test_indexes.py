"""A first large ingest into SQLite writes results without their index by test, and builds it before it is needed."""

import multiprocessing
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine, text

from flakehunter.db import indexes, migrate
from flakehunter.db.queries.history import runs_of_test
from flakehunter.ingest import writing
from flakehunter.ingest.layout import compile_layout
from flakehunter.ingest.pipeline import IngestOptions, Summary, ingest
from flakehunter.ingest.runs import RunNaming
from flakehunter.ingest.sources import Source

OPTIONS = IngestOptions(naming=RunNaming(layout=compile_layout("*-{run_id}.xml")), jobs=1)
ROWS = text(
    "SELECT u.external_id, a.path, t.name, r.attempt, r.outcome FROM results r JOIN runs u ON u.id = r.run_id"
    " JOIN artifacts a ON a.id = r.artifact_id JOIN test_cases t ON t.id = r.test_case_id ORDER BY r.id"
)


def write(folder: Path, files: int, runs: int) -> Path:
    """Write files with 10 tests each, one failing; their runs take turns."""
    folder.mkdir()
    for number in range(files):
        cases = "".join(f'<testcase classname="c" name="t{test}" time="0.1"/>' for test in range(9))
        failed = f'<testcase classname="c" name="bad" time="0.1"><failure message="{number}"/></testcase>'
        (folder / f"{number:03d}-{number % runs}.xml").write_text(f'<testsuite name="s">{cases}{failed}</testsuite>')
    return folder


@contextmanager
def opened(path: Path) -> Iterator[Connection]:
    engine = create_engine(f"sqlite:///{path}")
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def indexed(path: Path) -> bool:
    with opened(path) as connection:
        return indexes.has_index_by_test(connection)


def watched(paths: list[Path], database: Path) -> list[bool]:
    """Ingest; return whether the index was there after each file."""
    seen = []

    def look(_source: Source, _summary: Summary) -> None:
        seen.append(indexed(database))

    ingest(paths, f"sqlite:///{database}", OPTIONS, look)
    return seen


@pytest.fixture
def small_transactions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "RESULTS_AT_ONCE", 20)


@pytest.mark.usefixtures("small_transactions")
def test_it_is_built_at_the_end_of_the_first_large_ingest_only(tmp_path: Path) -> None:
    database = tmp_path / "a.db"
    first = watched([write(tmp_path / "first", 8, 8)], database)
    assert first == [True, *[False] * 7]
    assert indexed(database)
    assert watched([write(tmp_path / "second", 6, 2)], database) == [True] * 6


def test_a_small_ingest_keeps_it(tmp_path: Path) -> None:
    assert watched([write(tmp_path / "runs", 8, 8)], tmp_path / "a.db") == [True] * 8


@pytest.mark.usefixtures("small_transactions")
def test_it_is_built_as_soon_as_tests_are_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that comes again may have results of the same tests, which get the next attempt."""
    database, usual = tmp_path / "a.db", tmp_path / "usual.db"
    files = write(tmp_path / "runs", 12, 3)
    seen = watched([files], database)
    assert False in seen
    assert seen[-1]
    monkeypatch.setattr(writing, "RESULTS_AT_ONCE", 1000)
    assert watched([files], usual) == [True] * 12
    with opened(database) as one, opened(usual) as other:
        assert one.execute(ROWS).all() == other.execute(ROWS).all()


@pytest.mark.usefixtures("small_transactions")
def test_other_writers_never_wait_for_very_many_to_be_sorted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexes, "MOST_WITHOUT", 30)
    seen = watched([write(tmp_path / "runs", 10, 10)], tmp_path / "a.db")
    assert False in seen
    assert seen[-1]


def _killed(files: Path, database: Path) -> None:
    def kill(_source: Source, summary: Summary) -> None:
        if summary.new_results:
            os.kill(os.getpid(), signal.SIGKILL)

    ingest([files], f"sqlite:///{database}", OPTIONS, kill)


@pytest.mark.usefixtures("small_transactions")
def test_what_a_killed_ingest_left_out_is_read_and_built_by_the_next(tmp_path: Path) -> None:
    database, files = tmp_path / "a.db", write(tmp_path / "runs", 8, 8)
    process = multiprocessing.get_context("fork").Process(target=_killed, args=(files, database))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    process.close()
    assert not indexed(database)
    with opened(database) as connection:
        runs = [(outcome.external_id, outcome.failed) for outcome in runs_of_test(connection, 10)]
    assert runs == [("0", 1), ("1", 1)]
    ingest([files / "000-0.xml"], f"sqlite:///{database}", OPTIONS)
    assert indexed(database)
    ingest([files], f"sqlite:///{database}", OPTIONS)
    with opened(database) as connection:
        assert connection.execute(text("SELECT count(*), count(DISTINCT run_id) FROM results")).one() == (80, 8)


@pytest.mark.usefixtures("small_transactions")
def test_a_user_who_interrupts_gets_it(tmp_path: Path) -> None:
    database = tmp_path / "a.db"

    def interrupt(_source: Source, summary: Summary) -> None:
        if summary.new_results:
            assert not indexed(database)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ingest([write(tmp_path / "runs", 8, 8)], f"sqlite:///{database}", OPTIONS, interrupt)
    assert indexed(database)


def test_migrations_go_back_without_it(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'a.db'}"
    migrate.upgrade(url)
    with opened(tmp_path / "a.db") as connection:
        indexes.leave_out_index_by_test(connection)
        connection.commit()
    assert not indexed(tmp_path / "a.db")
    migrate.downgrade(url, "base")
    assert migrate.upgrade(url)[0] is None
    assert indexed(tmp_path / "a.db")
