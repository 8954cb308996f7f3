"""Commands with --scheduler: the same answers as on one machine, also when a worker is killed in the middle."""

import json
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from flakehunter.cli.app import main
from flakehunter.db.engine import open_database
from flakehunter.ingest.fleet import ingest_by_fleet
from flakehunter.ingest.layout import compile_layout
from flakehunter.ingest.pipeline import IngestOptions, Summary
from flakehunter.ingest.runs import RunNaming
from tests.fanout.conftest import OTHER_HOST, ROOT, Fleet

LAYOUT = "{commit}/{run_id}-{attempt}/{job}/**"


def test_scan_of_a_fleet_prints_what_one_machine_prints(fleet: Fleet, capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(ROOT / "tests/corpus/scan/python")

    assert main(["scan", "--json", "--jobs", "1", folder]) == 0
    alone = capsys.readouterr().out
    assert main(["scan", "--json", "--scheduler", fleet.address, folder]) == 0

    assert capsys.readouterr().out == alone
    assert len(json.loads(alone)["findings"]) > 10


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with the runs of some commits of the sample project."""
    folder = tmp_path_factory.mktemp("runs")
    for commit in sorted((ROOT / "sample_data/runs").iterdir())[:3]:
        shutil.copytree(commit, folder / commit.name)
    return folder


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory, runs: Path) -> str:
    """Give a database with those runs."""
    path = tmp_path_factory.mktemp("history") / "history.db"
    assert main(["-q", "ingest", "--layout", LAYOUT, str(runs), "--db", str(path)]) == 0
    return f"sqlite:///{path}"


def rows(url: str, query: str) -> list[tuple[object, ...]]:
    """Return what a query gives, as a sorted list."""
    engine = open_database(url)
    try:
        with engine.connect() as connection:
            return sorted(tuple(row) for row in connection.execute(text(query)))
    finally:
        engine.dispose()


VERDICTS = (
    "SELECT test_case_id, verdict, p_flaky, flake_rate, flake_rate_low, flake_rate_high, coalesce(mechanism, ''), "
    "coalesce(p_mechanism, 0), since_commit, evidence FROM verdicts"
)


@pytest.mark.parametrize(
    ("how", "limit"),
    [
        ("--jobs", "BLOCK_CELLS"),
        ("--scheduler", "BLOCK_CELLS"),
        ("--scheduler", "SHARED_CELLS"),
        ("--scheduler", "FEWEST_TESTS"),
    ],
)
def test_detect_by_workers_says_and_stores_what_one_process_does(
    fleet: Fleet,
    history: str,
    how: str,
    limit: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert main(["-q", "detect", "--json", "--all", "--jobs", "1", "--db", history]) == 0
    said, stored = capsys.readouterr().out, rows(history, VERDICTS)

    monkeypatch.setattr(f"flakehunter.detect.blocks.{limit}", 10)  # a small history gives many blocks, too
    monkeypatch.setattr("flakehunter.detect.blocks.SHARED_TESTS", 2)
    worker = "2" if how == "--jobs" else fleet.address
    assert main(["-q", "detect", "--json", "--all", how, worker, "--db", history]) == 0

    assert capsys.readouterr().out == said
    assert rows(history, VERDICTS) == stored
    assert len(stored) > 10


def test_ingest_into_sqlite_with_a_scheduler_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    database = tmp_path / "history.db"

    assert main(["ingest", str(ROOT / "sample_data/runs"), "--scheduler", "tcp://a:1", "--db", str(database)]) == 2

    lines = capsys.readouterr().err.splitlines()
    assert lines[-2].startswith("flakehunter: error: --scheduler and the SQLite database")
    assert "postgresql://" in lines[-1]
    assert not database.exists()


INGESTED = (
    "SELECT runs.external_id, runs.job, runs.commit_sha, artifacts.path, artifacts.kind, artifacts.format, "
    "test_cases.classname, test_cases.name, results.attempt, results.outcome, coalesce(results.duration_s, 0), "
    "coalesce(failures.message, '') FROM results JOIN runs ON runs.id = results.run_id "
    "JOIN artifacts ON artifacts.id = results.artifact_id JOIN test_cases ON test_cases.id = results.test_case_id "
    "LEFT JOIN failures ON failures.id = results.failure_id"
)
EVENTS = (
    "SELECT artifacts.path, coalesce(test_cases.name, ''), log_events.line, log_events.kind, log_events.text "
    "FROM log_events JOIN artifacts ON artifacts.id = log_events.artifact_id "
    "LEFT JOIN test_cases ON test_cases.id = log_events.test_case_id"
)


def _wait_until_nobody_is_connected(url: str) -> None:
    """Wait until the only connection to a database is ours."""
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    with engine.connect() as connection:
        while connection.scalar(text(others)):
            time.sleep(0.05)
    engine.dispose()


@pytest.mark.needs("postgres")
def test_ingest_by_workers_of_which_one_is_killed_gives_the_rows_of_one_machine(
    tmp_path: Path, runs: Path, history: str, postgres_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flakehunter.ingest.fleet.UNIT_BYTES", 20_000)  # so few files are several units, too
    options = IngestOptions(naming=RunNaming(layout=compile_layout(LAYOUT)))
    own = Fleet("", tmp_path)

    def kill_in_the_middle(_source: object, _summary: Summary) -> None:
        if victim.poll() is None:
            victim.kill()

    try:
        own.start_scheduler()
        own.worker("one")
        victim = own.worker("two")
        first = ingest_by_fleet([runs], postgres_database, options, own.address, kill_in_the_middle)
        again = ingest_by_fleet([runs], postgres_database, options, own.address)
        _wait_until_nobody_is_connected(postgres_database)  # the worker that lives is
    finally:
        own.end()

    assert victim.returncode == -signal.SIGKILL
    assert rows(postgres_database, INGESTED) == rows(history, INGESTED)
    assert rows(postgres_database, EVENTS) == rows(history, EVENTS)
    assert (again.new_results, again.known_artifacts) == (0, first.artifacts)
    assert main(["-q", "detect", "--db", postgres_database]) == 0


@pytest.mark.needs("postgres")
def test_first_ingest_of_one_file_by_a_fleet_makes_the_tables(
    fleet: Fleet, tmp_path: Path, postgres_database: str
) -> None:
    file = tmp_path / "junit.xml"
    file.write_text('<testsuite name="pytest"><testcase classname="a" name="test_a"/></testsuite>')

    assert main(["-q", "ingest", str(file), "--scheduler", fleet.address, "--db", postgres_database]) == 0

    assert rows(postgres_database, "SELECT name FROM test_cases") == [("test_a",)]
    _wait_until_nobody_is_connected(postgres_database)


def test_repro_by_hosts_counts_their_trials_together_and_keeps_the_host(
    fleet: Fleet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database = tmp_path / "repro.db"
    count = tmp_path / "count"
    command = ["bash", "-c", f"echo >> {count}; (( $(wc -l < {count}) % 2 ))"]
    words = ["repro", "--json", "--stress", "none", "--trials", "6", "--fix", "true", "--scheduler", fleet.address]

    assert main([*words, "--db", str(database), "-C", str(tmp_path), "--", *command]) == 0

    document = json.loads(capsys.readouterr().out)
    flawed = document["arms"][0]
    assert flawed["trials"] == len(count.read_text().splitlines())
    assert flawed["failures"] == flawed["trials"] // 2
    [host] = flawed["hosts"]
    assert (host["host"], host["trials"], host["rate"]) == (socket.gethostname(), flawed["trials"], flawed["rate"])
    trials = rows(f"sqlite:///{database}", "SELECT host, arm, count(*) FROM trials GROUP BY host, arm")
    assert trials == [(socket.gethostname(), arm["name"], arm["trials"]) for arm in sorted(document["arms"], key=str)]


ON_ONE_KIND = """
touch $(hostname)
until [ -e one-kind ] && [ -e another-kind ]; do sleep 0.02; done
[ $(hostname) = one-kind ]
"""
"""Passes on one host and fails on the other; the first trial on each waits until both have one."""


def test_repro_tells_of_a_test_that_fails_on_one_host_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if subprocess.run([*OTHER_HOST, "other", "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("no host name of its own can be given to a process: needs root and namespaces")
    own = Fleet("", tmp_path)
    project, database = tmp_path / "project", tmp_path / "repro.db"
    project.mkdir()
    words = ["repro", "--stress", "none", "--trials", "6", "--db", str(database), "-C", str(project)]
    try:
        own.start_scheduler()
        own.worker("one", "--resources", "REPRO=1", host="one-kind")
        own.worker("two", "--resources", "REPRO=1", host="another-kind")
        assert main([*words, "--scheduler", own.address, "--", "bash", "-c", ON_ONE_KIND]) == 0
        said = capsys.readouterr().out
    finally:
        own.end()

    [(summary,)] = rows(f"sqlite:///{database}", "SELECT summary FROM experiments")
    [arm] = json.loads(str(summary))["arms"]
    hosts = {host["host"]: (host["trials"], host["failures"]) for host in arm["hosts"]}
    assert set(hosts) == {"one-kind", "another-kind"}
    assert hosts["one-kind"][1] == 0
    assert hosts["another-kind"][1] == hosts["another-kind"][0] == arm["failures"] > 0
    assert sum(trials for trials, _ in hosts.values()) == arm["trials"]
    stored = rows(f"sqlite:///{database}", "SELECT host, outcome, count(*) FROM trials GROUP BY host, outcome")
    assert {(host, outcome) for host, outcome, _ in stored} == {("one-kind", "passed"), ("another-kind", "failed")}
    assert "on another-kind" in said


def test_repro_of_what_is_not_on_the_host_is_one_line_and_a_hint(
    fleet: Fleet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["repro", "--stress", "none", "--scheduler", fleet.address, "--db", str(tmp_path / "repro.db")]

    assert main([*words, "--fix-rev", "HEAD", "--", "true"]) == 2
    assert "--fix-rev were given: its checkout is on this machine only" in capsys.readouterr().err


@pytest.mark.parametrize(
    "command", [["repro", "--", "true"], ["detect"], ["ingest", "x", "--db", "postgresql://u@h/n"]]
)
def test_wrong_address_of_any_command_is_exit_2(
    command: list[str], history: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FLAKEHUNTER_SCHEDULER", "nowhere:x")
    monkeypatch.setenv("FLAKEHUNTER_DB", history)

    assert main(command) == 2
    assert "error: no dask scheduler answers at nowhere:x" in capsys.readouterr().err


def test_wrong_address_is_one_line_and_a_hint(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scan", "--scheduler", "nowhere:x", str(ROOT / "tests/corpus/scan/python")]) == 2

    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("flakehunter: error: no dask scheduler answers at nowhere:x: ")
    assert "dask scheduler" in lines[1]
