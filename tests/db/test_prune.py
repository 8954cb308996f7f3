"""`flakehunter db prune`: old rows go, what is known of them stays, on both servers."""

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from flakehunter.cli.app import main
from flakehunter.clock import utc_now
from flakehunter.db.prune import prune
from flakehunter.db.rows import RunRow
from flakehunter.detect.assess import Detection, detect
from flakehunter.ingest.pipeline import IngestOptions, ingest
from flakehunter.ingest.runs import RunNaming

Query = Callable[..., list[tuple[Any, ...]]]
NOW = utc_now()
OLD, NEW = range(12), range(12, 20)
"""Runs: one a day from 400 days ago, and from 10 days ago."""


def junit(run: int) -> str:
    """Return a file of ten tests; `t0` fails in every third run, `t1` in two old ones."""
    cases = []
    for test in range(10):
        failed = (test == 0 and run % 3 == 0) or (test == 1 and run in (3, 4))
        body = f'<failure message="gone {run}">detail {run}</failure>' if failed else ""
        cases.append(f'<testcase classname="C" name="t{test}" time="0.1">{body}</testcase>')
    return f'<testsuite name="s">{"".join(cases)}</testsuite>'


def started(run: int) -> Any:
    return NOW - (timedelta(days=400 - run) if run in OLD else timedelta(days=30 - run))


def write(folder: Path, runs: Iterable[int]) -> Path:
    """Write the files of runs, a JUnit file and a log each, two runs a commit."""
    table = ["path,run_id,commit,job,started_at"]
    for run in runs:
        (folder / str(run)).mkdir(parents=True)
        (folder / str(run) / "junit.xml").write_text(junit(run))
        (folder / str(run) / "job.log").write_text("t0\nsending SIGTERM to process group 4700\nkill: 4711\n")
        table.append(f"{run},{run},c{run // 2},linux,{started(run).isoformat()}")
    (folder / "runs.csv").write_text("\n".join(table) + "\n")
    return folder


@pytest.fixture
def history(empty_database: str, tmp_path: Path) -> str:
    """Fill a database with old and new runs."""
    ingest([write(tmp_path / "in", [*OLD, *NEW])], empty_database, IngestOptions())
    return empty_database


def said(detection: Detection) -> list[tuple[Any, ...]]:
    """Return what detect says of each test's history."""
    tests = [(one.test.identity.label, one.weighed, one.executed, one.failed) for one in detection.assessments]
    return sorted((label, w.verdict, round(w.p_flaky, 9), w.rate, w.since, *n) for label, w, *n in tests)


def counted(detection: Detection) -> dict[str, tuple[int, int]]:
    """Return how often each test was executed, and failed."""
    return {one.test.identity.label: (one.executed, one.failed) for one in detection.assessments}


def test_old_rows_go_and_detect_says_the_same(history: str, query: Query) -> None:
    before = detect(history)
    cutoff = NOW - timedelta(days=180)
    would = prune(history, cutoff, dry_run=True)
    assert query(history, "SELECT count(*) FROM results") == [(200,)], "a dry run removes nothing"
    done = prune(history, cutoff)
    assert (done.runs, done.results, done.failures) == (12, 120, 5)
    assert done.log_events > 0
    assert replace(would, bytes_freed=0) == replace(done, bytes_freed=0)
    assert query(history, "SELECT count(*) FROM results") == [(80,)]
    assert query(history, "SELECT count(*) FROM failures") == [(3,)]
    assert query(history, "SELECT count(*) FROM runs") == [(20,)]
    assert said(detect(history)) == said(before)
    assert prune(history, cutoff).results == 0, "a second time there is nothing to remove"
    assert said(detect(history)) == said(before)


def test_what_comes_later_counts_once(history: str, tmp_path: Path, query: Query) -> None:
    prune(history, NOW - timedelta(days=180))
    before = said(detect(history))
    assert ingest([tmp_path / "in"], history, IngestOptions()).new_results == 0, "a pruned file is known"
    assert said(detect(history)) == before
    assert ingest([write(tmp_path / "more", [30])], history, IngestOptions()).new_results == 10
    after = detect(history)
    assert after.runs == 21
    prune(history, NOW - timedelta(days=1))
    assert query(history, "SELECT count(*) FROM results WHERE run_id <= 20") == [(0,)]
    assert said(detect(history)) == said(after)


def test_a_log_that_comes_after_its_run_was_pruned_counts_nothing_twice(empty_database: str, query: Query) -> None:
    files = Path(__file__).resolve().parents[1] / "ingest" / "fixtures" / "pytest"
    given = RunRow(external_id="1", commit="c", started_at=NOW - timedelta(days=400))
    options = IngestOptions(naming=RunNaming(given=given))
    assert ingest([files / "xunit2-v.xml"], empty_database, options).new_results > 0
    before = counted(detect(empty_database))
    prune(empty_database, NOW - timedelta(days=180))
    late = ingest([files / "xunit2-v.log"], empty_database, options)
    assert (late.artifacts, late.new_results) == (1, 0)
    assert counted(detect(empty_database)) == before
    other = IngestOptions(naming=RunNaming(given=replace(given, external_id="2")))
    assert ingest([files / "xunit2-v.log"], empty_database, other).new_results > 0, "a log of its own run counts"


def test_pruned_again_and_again_nothing_is_lost(history: str, query: Query) -> None:
    before = said(detect(history))
    for days in (395, 391, 389, 25, 12):
        prune(history, NOW - timedelta(days=days))
        assert said(detect(history)) == before
    assert query(history, "SELECT sum(results) FROM rollups") == [(200,)]


def test_failures_of_kept_runs_keep_their_text(history: str, query: Query) -> None:
    prune(history, NOW - timedelta(days=180))
    orphans = "SELECT count(*) FROM results r LEFT JOIN failures f ON f.id = r.failure_id"
    assert query(history, f"{orphans} WHERE r.failure_id IS NOT NULL AND f.id IS NULL") == [(0,)]
    assert query(history, "SELECT count(*) FROM results WHERE failure_id IS NOT NULL") == [(3,)]


def test_whole_months_are_partitions_that_go(postgres_database: str, tmp_path: Path, query: Query) -> None:
    ingest([write(tmp_path / "in", [*OLD, *NEW])], postgres_database, IngestOptions())
    tables = "SELECT relname FROM pg_class WHERE relname ~ '^results_[0-9_]+$' AND relkind = 'r' ORDER BY 1"
    months = {f"results_{started(run):%Y_%m}" for run in [*OLD, *NEW]}
    assert {name for (name,) in query(postgres_database, tables)} == months
    done = prune(postgres_database, NOW - timedelta(days=180))
    gone = {f"results_{started(run):%Y_%m}" for run in OLD}
    assert set(done.partitions) == gone
    assert {name for (name,) in query(postgres_database, tables)} == months - gone
    assert done.bytes_freed > 0


def test_the_command_says_what_goes_and_what_went(history: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["db", "prune", "--keep", "26w", "--dry-run", "--db", history]) == 0
    assert "would remove 120 results" in capsys.readouterr().err
    assert main(["db", "prune", "--keep", "180d", "--json", "--db", history]) == 0
    printed = capsys.readouterr()
    document = json.loads(printed.out)
    assert (document["schema_version"], document["results"], document["runs"]) == (1, 120, 12)
    assert "removed 120 results" in printed.err
    assert "MB freed; the outcomes stay in rollups" in printed.err
    assert main(["db", "prune", "--keep", "180d", "--db", history]) == 0
    assert "nothing is older than" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("keep", "message"), [("6 months", "is no day"), ("0d", "keeps nothing"), ("2999-01-01", "keeps nothing")]
)
def test_a_wrong_time_is_one_line(keep: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["db", "prune", "--keep", keep]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "hint: " in error
