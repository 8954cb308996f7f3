"""A first large ingest by a fleet does without the index of results by test; the command builds it at the end."""

from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from flakehunter.db import filling
from flakehunter.fanout import InlinePool
from flakehunter.ingest import fleet, worker
from flakehunter.ingest.fleet import ingest_by_fleet
from flakehunter.ingest.found import IngestOptions, Summary
from flakehunter.ingest.layout import compile_layout
from flakehunter.ingest.runs import RunNaming
from flakehunter.ingest.sources import Source
from tests.databases import indexed, packed_results, running_server, write_passes

pytestmark = pytest.mark.needs("postgres")
OPTIONS = IngestOptions(naming=RunNaming(layout=compile_layout("{run_id}.xml")))


@pytest.fixture
def watched(postgres_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> "Watched":
    """Give a fleet of one worker, which is this process."""
    monkeypatch.setattr(fleet, "open_pool", lambda *_of, **_how: InlinePool())
    monkeypatch.setattr(worker, "IDLE_S", 0.0)
    return Watched(postgres_database, tmp_path)


class Watched:
    """Ingests, and looks after each unit whether the index is there."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self._folder = url, folder

    def ingest(self, name: str, files: int) -> list[bool]:
        seen: list[bool] = []

        def look(_source: Source, _summary: Summary) -> None:
            seen.append(indexed(self.url))

        ingest_by_fleet([write_passes(self._folder / name, files, name)], self.url, OPTIONS, "here", look)
        return seen


@pytest.fixture
def small_units(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet, "FIRST_BYTES", 1)
    monkeypatch.setattr(fleet, "UNIT_BYTES", 1)


@pytest.mark.usefixtures("small_units")
def test_it_is_built_at_the_end_of_the_first_large_ingest_and_stays_in_the_next(watched: Watched) -> None:
    assert watched.ingest("first", 5) == [False] * 5
    assert indexed(watched.url)
    assert watched.ingest("second", 5) == [True] * 5


def test_an_ingest_of_less_than_a_unit_keeps_it(watched: Watched) -> None:
    assert watched.ingest("few", 5) == [True]


@pytest.mark.usefixtures("small_units")
def test_it_is_built_once_the_workers_have_brought_very_many(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filling, "MOST_WITHOUT", 25)

    assert watched.ingest("runs", 5) == [False, False, True, True, True]


@pytest.mark.usefixtures("small_units")
def test_nobody_else_builds_it_meanwhile(watched: Watched, tmp_path: Path) -> None:
    seen: list[bool] = []

    def another_job(_source: Source, _summary: Summary) -> None:
        if not seen:
            # A fleet of its own, whose work is done while the first one's is not.
            folder = write_passes(tmp_path / "other", 1, "other")
            ingest_by_fleet([folder], watched.url, OPTIONS, "here")
        seen.append(indexed(watched.url))

    ingest_by_fleet([write_passes(tmp_path / "runs", 3)], watched.url, OPTIONS, "here", another_job)

    assert seen == [False] * 3
    assert indexed(watched.url)


@pytest.mark.slow
@pytest.mark.usefixtures("small_units")
def test_a_server_that_goes_away_meanwhile_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, query: Callable[..., list[tuple[Any, ...]]]
) -> None:
    monkeypatch.setattr(fleet, "open_pool", lambda *_of, **_how: InlinePool())
    with running_server() as server:
        url = server.create(tables=True)
        back = Thread(target=server.start)
        units: list[Summary] = []

        def crash_in_the_middle(_source: Source, summary: Summary) -> None:
            units.append(summary)
            if len(units) == 2:
                # As when a worker has had nothing to do for a while: its next unit needs a new connection.
                for kept in worker._kept.values():
                    for one in kept:
                        one.engine.dispose()
                server.crash()
                back.start()

        ingest_by_fleet([write_passes(tmp_path / "runs", 5)], url, OPTIONS, "here", crash_in_the_middle)
        back.join()

        assert query(url, "SELECT count(*), count(DISTINCT (test_case_id, run_id)) FROM results") == [(50, 50)]
        assert packed_results(url) == 50
        assert indexed(url)
