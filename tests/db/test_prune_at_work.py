"""`flakehunter db prune` while jobs ingest: each result is kept or pruned, none is lost, none counts twice."""

import multiprocessing
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from flakehunter.clock import utc_now
from flakehunter.db import prune as pruning
from flakehunter.db.engine import open_database
from flakehunter.db.prune import prune
from flakehunter.db.rows import ArtifactRow, Batch, CaseRow, FailureRow, RunRow
from flakehunter.db.write import Writer
from flakehunter.errors import DatabaseError
from flakehunter.ingest import writing
from flakehunter.ingest.pipeline import IngestOptions, ingest
from tests.databases import packed_results

Query = Callable[..., list[tuple[Any, ...]]]
FORK = multiprocessing.get_context("fork")
NOW = utc_now()
CUTOFF = NOW - timedelta(days=180)
JOBS, RUNS, TESTS = 3, 12, 20
DANGLING = (
    "SELECT count(*) FROM results r LEFT JOIN failures f ON f.id = r.failure_id"
    " WHERE r.failure_id IS NOT NULL AND f.id IS NULL"
)


def write(folder: Path, job: int) -> Path:
    """Write the files of a job: runs of the last weeks and of months ago by turns; some texts of failures are alike."""
    table = ["path,run_id,commit,job,started_at"]
    for run in range(RUNS):
        place = folder / f"{job}" / f"{run}"
        place.mkdir(parents=True)
        cases = "".join(
            f'<testcase classname="C" name="t{test}" time="0.1">'
            + (f'<failure message="gone {test}">x</failure>' if (test + run) % 5 == 0 else "")
            + "</testcase>"
            for test in range(TESTS)
        )
        (place / "junit.xml").write_text(f'<testsuite name="s">{cases}</testsuite>')
        started = NOW - timedelta(days=(run + 1) if run % 2 else 200 + 20 * (run % 4))
        table.append(f"{run},{job}-{run},c{run},linux,{started.isoformat()}")
    (folder / f"{job}" / "runs.csv").write_text("\n".join(table) + "\n")
    return folder / f"{job}"


def test_jobs_that_ingest_while_old_runs_are_pruned_lose_nothing(
    empty_database: str, tmp_path: Path, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    # One file a transaction: the more of them, the more often prune comes between.
    monkeypatch.setattr(writing, "RESULTS_AT_ONCE", 1)
    folders = [write(tmp_path / "in", job) for job in range(JOBS)]
    open_database(empty_database, create=True).dispose()
    jobs = [FORK.Process(target=ingest, args=([folder], empty_database, IngestOptions())) for folder in folders]
    for job in jobs:
        job.start()
    try:
        while any(job.is_alive() for job in jobs):
            prune(empty_database, CUTOFF)
            # SQLite's lock is not given in turn: whoever asks for it all the time keeps others waiting.
            jobs[0].join(0.05)
    finally:
        for job in jobs:
            job.join()
    assert [job.exitcode for job in jobs] == [0] * JOBS
    prune(empty_database, CUTOFF)
    assert packed_results(empty_database) == JOBS * RUNS * TESTS
    assert query(empty_database, "SELECT count(*) FROM results") == [(JOBS * RUNS * TESTS // 2,)], "the new ones stay"
    assert query(empty_database, DANGLING) == [(0,)]
    assert ingest(folders, empty_database, IngestOptions()).new_results == 0
    assert packed_results(empty_database) == JOBS * RUNS * TESTS


@pytest.mark.needs("postgres")
def test_prune_gives_up_where_a_job_writes_old_results_for_long(
    postgres_database: str, tmp_path: Path, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "LOCK_TRIES", 2)
    ingest([write(tmp_path / "in", 0)], postgres_database, IngestOptions())
    before = query(postgres_database, "SELECT count(*) FROM results")
    engine = open_database(postgres_database)
    run = RunRow(external_id="slow", started_at=NOW - timedelta(days=400))
    text = FailureRow(b"1" * 16, b"1" * 16, "T", "gone", "")
    with Writer(engine, "default") as writer:
        with writer.artifact(run, ArtifactRow(b"1" * 32, "slow.xml", "junit", "", 1)) as slow:
            slow.add(Batch(tests=[CaseRow("s", "C", "t0")], results=[(0, 1, "failed", 0.1, 0)], failures=[text]))
            # As it does after each 100,000 results of a large file.
            writer.bulk.write_out(writer.connection)
            with pytest.raises(DatabaseError, match="lock") as raised:
                prune(postgres_database, CUTOFF)
            assert raised.value.hint is not None
            assert raised.value.hint.startswith("nothing was removed")
        writer.roll_up()
    engine.dispose()
    assert query(postgres_database, "SELECT count(*) FROM results") == [(before[0][0] + 1,)]
    assert prune(postgres_database, CUTOFF).results == RUNS * TESTS // 2 + 1
    assert packed_results(postgres_database) == RUNS * TESTS + 1


@pytest.mark.needs("postgres")
def test_old_results_that_come_before_their_month_is_dropped_stay(
    postgres_database: str, tmp_path: Path, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest([write(tmp_path / "in", 0)], postgres_database, IngestOptions())
    original = pruning._prune_failures

    def between(connection: Connection) -> int:
        ingest([write(tmp_path / "in", 1)], postgres_database, IngestOptions())
        return original(connection)

    monkeypatch.setattr(pruning, "_prune_failures", between)
    assert prune(postgres_database, CUTOFF).results == RUNS * TESTS // 2
    assert packed_results(postgres_database) == 2 * RUNS * TESTS
    assert query(postgres_database, "SELECT count(*) FROM results") == [(RUNS * TESTS // 2 + RUNS * TESTS,)]
    monkeypatch.undo()
    prune(postgres_database, CUTOFF)
    assert packed_results(postgres_database) == 2 * RUNS * TESTS
    assert query(postgres_database, "SELECT count(*) FROM results") == [(RUNS * TESTS,)]
