"""A killed ingest and many at once leave the rows that one undisturbed ingest gives."""

import itertools
import multiprocessing
import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flakehunter.ingest import ahead, writing
from flakehunter.ingest.layout import compile_layout
from flakehunter.ingest.pipeline import IngestOptions, ingest
from flakehunter.ingest.runs import RunNaming
from tests.databases import remove, url_at

Query = Callable[..., list[tuple[Any, ...]]]

ROWS = (
    "SELECT u.external_id, a.path, t.classname, t.name, t.file, r.attempt, r.outcome, r.duration_s, f.message"
    " FROM results r JOIN runs u ON u.id = r.run_id JOIN artifacts a ON a.id = r.artifact_id"
    " JOIN test_cases t ON t.id = r.test_case_id LEFT JOIN failures f ON f.id = r.failure_id"
    " ORDER BY u.external_id, a.path, t.classname, t.name, r.attempt"
)
COUNTS = (
    "SELECT (SELECT count(*) FROM projects), (SELECT count(*) FROM runs), (SELECT count(*) FROM artifacts),"
    " (SELECT count(*) FROM test_cases), (SELECT count(*) FROM failures)"
)


@pytest.fixture
def history(tmp_path: Path) -> Path:
    """Write 8 runs of 3 files with 40 tests each, among them repeated tests and failures."""
    for run in range(8):
        for part in range(3):
            cases = "".join(
                f'<testcase classname="tests.test_{part}" name="t{number}" time="0.1">'
                + (f'<failure message="pid {run} alive">x</failure>' if (number + run) % 7 == 0 else "")
                + "</testcase>"
                for number in [*range(40), 1, 2]
            )
            target = tmp_path / f"runs/c{run}/r{run}.d/{part}.xml"
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(f'<testsuite name="s">{cases}</testsuite>')
    return tmp_path / "runs"


OPTIONS = IngestOptions(naming=RunNaming(layout=compile_layout("{commit}/{run_id}.d/**")))
KILLS = int(os.environ.get("KILLS", "12"))
"""The issue's 200 take some minutes: `KILLS=200 pytest tests/ingest/test_crash.py`."""
FORK = multiprocessing.get_context("fork")
"""A copy of this process has everything imported, so the time of a child is the time of its ingest."""


def child(history: Path, url: str, jobs: int | None = None) -> Any:
    process = FORK.Process(target=ingest, args=([history], url, replace(OPTIONS, jobs=jobs)))
    process.start()
    return process


@pytest.mark.parametrize(("jobs", "kills"), [(1, KILLS), (2, max(KILLS // 2, 5))], ids=["alone", "with-two-workers"])
def test_a_killed_ingest_run_again_gives_every_row_once(
    jobs: int, kills: int, history: Path, tmp_path: Path, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Many transactions, and several blocks a worker.
    monkeypatch.setattr(writing, "RESULTS_AT_ONCE", 100)
    monkeypatch.setattr(ahead, "FILES_A_BLOCK", 3)
    undisturbed = url_at(tmp_path / "a.db")
    begun = time.monotonic()
    ingest([history], undisturbed, replace(OPTIONS, jobs=jobs))
    whole = time.monotonic() - begun
    killed = url_at(tmp_path / "b.db")
    moments = random.Random(1)
    ended = 0
    for number in itertools.count():
        if number >= kills and ended:
            break
        if number % 5 == 0:
            remove(tmp_path / "b.db")
            killed = url_at(tmp_path / "b.db")
        alive, inherited = os.pipe()
        begun = time.monotonic()
        process = child(history, killed, jobs)
        os.close(inherited)
        # Not a wait for a state: the moment is meant to be anywhere in the work.
        process.join(timeout=whole * moments.uniform(0.05, 1.0))
        if process.exitcode == 0:
            # The first one had more to import, or a busier machine.
            whole = min(whole, time.monotonic() - begun)
        process.kill()
        process.join()
        # The end of the file comes when the last of its workers has ended, too.
        assert os.read(alive, 1) == b""
        os.close(alive)
        ended += process.exitcode == -signal.SIGKILL
        process.close()
    ingest([history], killed, replace(OPTIONS, jobs=jobs))
    assert query(killed, ROWS) == query(undisturbed, ROWS)
    assert query(killed, COUNTS) == query(undisturbed, COUNTS)


def test_eight_ingests_at_once_lose_nothing_and_add_nothing_twice(
    empty_database: str, history: Path, tmp_path: Path, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Many transactions; the first ones on SQLite leave an index out that others need, and the last builds.
    monkeypatch.setattr(writing, "RESULTS_AT_ONCE", 100)
    alone = url_at(tmp_path / "alone.db")
    ingest([history], alone, OPTIONS)
    processes = [child(history, empty_database) for _ in range(8)]
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 8
    assert query(empty_database, ROWS) == query(alone, ROWS)
    assert query(empty_database, COUNTS) == query(alone, COUNTS)
