"""`flakehunter show` as a user types it."""

import json
from pathlib import Path

import pytest
from sqlalchemy import insert

from flakehunter.cli.app import main
from flakehunter.db.schema import Experiment
from flakehunter.model import Mechanism, ReproVerdict
from tests.detect.builder import START, STILL_ALIVE, DatabaseBuilder


@pytest.fixture
def database(tmp_path: Path) -> str:
    builder = DatabaseBuilder(tmp_path)
    runs = builder.commits({"test_abort": "PP PF PP FP PP FF"}, failure=STILL_ALIVE)
    builder.event(runs[6], "test_abort", 40, "sending SIGTERM to process group 4700")
    arms = [
        {"name": "flawed", "stressor": "cpu:8", "trials": 20, "failures": 7, "rate": {"value": 0.35}},
        {"name": "fixed", "stressor": "cpu:8", "trials": 90, "failures": 0, "rate": {"value": 0.0}},
    ]
    builder.connection.execute(
        insert(Experiment).values(
            project_id=builder.project_id,
            test_case_id=builder.test("test_abort"),
            command="pytest",
            verdict=ReproVerdict.FIX_VERIFIED,
            mechanism=Mechanism.CHECK_BEFORE_EXIT,
            started_at=START,
            finished_at=START,
            summary={"arms": arms},
        )
    )
    return builder.close()


def test_text_shows_all_there_is(database: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "test_abort", "--db", database]) == 0
    out = capsys.readouterr().out
    assert out.startswith("pytest::tests.test_it::test_abort\n")
    assert "cause      check-before-exit" in out
    assert "\n    .±.±.F\n" in out
    assert "failed 4 times like this" in out
    assert "  | >       assert not is_alive(grandchild)" in out
    assert "runs/7/junit.xml:40: sending SIGTERM to process group 4700" in out
    assert "repro made it fail: 7 of 20 under cpu:8 (fix-verified)" in out


def test_json_has_everything_too(database: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "tests/test_it.py::test_abort", "--db", database, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema_version"] == 1
    assert document["test"]["verdict"] == "flaky"
    assert [cell["failed"] for cell in document["history"]] == [0, 1, 0, 1, 0, 2]
    assert [run["verdict"] for run in document["runs"]].count("failed") == 4
    assert document["failures"][0]["count"] == 4
    assert document["log_events"][0]["ref"].endswith("runs/7/junit.xml:40")
    assert document["experiments"][0]["verdict"] == "fix-verified"


def test_test_that_never_failed(database: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "test_healthy_3", "--db", database]) == 0
    out = capsys.readouterr().out
    assert "verdict    healthy" in out
    assert "12 executions, 0 failed" in out


def test_misspelt_test_is_exit_2_with_near_names(database: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "test_abrot", "--db", database]) == 2
    error = capsys.readouterr().err
    assert "no test is called 'test_abrot'" in error
    assert "hint: did you mean pytest::tests.test_it::test_abort?" in error


def test_name_of_several_tests_is_exit_2(database: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "healthy", "--db", database]) == 2
    assert "'healthy' fits 6 tests" in capsys.readouterr().err


def test_no_database_is_exit_4(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "test_abort", "--db", str(tmp_path / "none.db")]) == 4
    assert "there is no database" in capsys.readouterr().err
