"""`flakehunter ingest` as a user types it."""

import json
import os
import pty
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flakehunter.cli.app import main
from tests.databases import url_at

FIXTURES = Path(__file__).parents[1] / "ingest" / "fixtures"
GOOD = '<testsuite name="pytest"><testcase classname="test_a" name="test_x" time="0.1"/></testsuite>'

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command in a folder of its own; return exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FLAKEHUNTER_DB", url_at(tmp_path / "a.db"))

    def call(*argv: str) -> tuple[int, str, str]:
        code = main(["ingest", *argv])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def test_json_has_the_documented_keys(run: Run) -> None:
    code, out, err = run(str(FIXTURES / "pytest/xunit1.xml"), "--commit", "abc", "--json")
    document = json.loads(out)
    assert code == 0
    assert document == {
        "schema_version": 1,
        "artifacts": 1,
        "results": 21,
        "new_results": 21,
        "known_artifacts": 0,
        "rejected": [],
    }
    assert err == "ingested 1 artifact; 21 results, 21 of them new\n"


@pytest.mark.sqlite
def test_the_database_is_a_file_in_the_working_directory(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FLAKEHUNTER_DB")
    assert run(str(FIXTURES / "pytest/xunit1.xml"))[0] == 0
    assert Path(".flakehunter/flakehunter.db").exists()


def test_a_second_time_nothing_is_new(run: Run) -> None:
    path = str(FIXTURES / "vitest")
    run(path, "--run-id", "7", "--commit", "abc")
    code, out, err = run(path, "--run-id", "7", "--commit", "abc", "--format", "json")
    document = json.loads(out)
    assert (code, document["new_results"]) == (0, 0)
    assert document["known_artifacts"] == document["artifacts"] == 4
    assert "4 artifacts known before" in err


def test_without_json_stdout_stays_empty(run: Run) -> None:
    assert run(str(FIXTURES / "vitest"), "--commit", "abc")[:2] == (0, "")


def test_rejected_files_are_named_with_position_and_reason(run: Run, tmp_path: Path) -> None:
    (tmp_path / "good.xml").write_text(GOOD)
    (tmp_path / "cut.xml").write_text(GOOD[:-12])
    (tmp_path / "empty.xml").write_text("")
    code, out, err = run(".", "--commit", "abc", "--json")
    rejected = {entry["path"]: entry for entry in json.loads(out)["rejected"]}
    assert code == 0
    assert set(rejected) == {"cut.xml", "empty.xml"}
    assert rejected["cut.xml"]["position"].startswith("line 1, column ")
    assert "1 whole test case before it kept" in rejected["cut.xml"]["reason"]
    assert "flakehunter: warning: empty.xml, line 1, column 1: the file is empty\n" in err
    assert json.loads(out)["new_results"] == 2


def test_strict_ends_with_3_and_still_prints(run: Run, tmp_path: Path) -> None:
    (tmp_path / "good.xml").write_text(GOOD)
    (tmp_path / "cut.xml").write_text(GOOD[:-12])
    code, out, err = run(".", "--commit", "abc", "--json", "--strict")
    assert code == 3
    assert json.loads(out)["new_results"] == 1
    assert "error: 1 of 2 artifacts rejected" in err
    assert "hint: without --strict" in err


def _one_error(err: str, message: str, hint: str) -> None:
    assert "Traceback" not in err
    lines = err.splitlines()
    errors = [place for place, line in enumerate(lines) if line.startswith("flakehunter: error: ")]
    assert len(errors) == 1
    assert message in lines[errors[0]]
    assert lines[errors[0] + 1].startswith("  hint: ")
    assert hint in lines[errors[0] + 1]


@pytest.mark.parametrize(
    ("argv", "code", "message", "hint"),
    [
        (["nowhere"], 2, "nowhere does not exist", "files or folders"),
        (["empty"], 4, "no test artifact in empty", "JUnit XML"),
        (["good.xml", "--db", "a-folder"], 5, "database", "--db"),
        (["good.xml", "--db", "good.xml/x.db"], 5, "database", "--db"),
        (["good.xml", "--layout", "{commit"], 2, "unmatched '{'", "{commit}/{run_id}"),
        (["good.xml", "--layout", "{sha}/**"], 2, "unknown field 'sha'", "{commit}/{run_id}"),
        (["good.xml", "--layout", "{commit}/{job}/**"], 4, "no file fits --layout", "relative to"),
        (["good.xml", "--started-at", "noon"], 2, "'noon' is not a moment", "2026-05-01T12:00:00Z"),
        (["good.xml", "--attempt", "0"], 2, "attempt", "--help"),
        (["good.xml", "--redact", "("], 2, "not a regular expression", "re module"),
        ([], 2, "PATH", "--help"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_input_is_one_clear_error(
    run: Run, tmp_path: Path, argv: list[str], code: int, message: str, hint: str
) -> None:
    (tmp_path / "good.xml").write_text(GOOD)
    (tmp_path / "empty").mkdir()
    (tmp_path / "a-folder").mkdir()
    ended, out, err = run(*argv)
    assert (ended, out) == (code, "")
    _one_error(err, message, hint)


def test_an_empty_file_alone_is_rejected_not_lost(run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty.xml").write_text("")
    code, out, _ = run("empty.xml", "--json")
    assert code == 0
    assert json.loads(out)["rejected"] == [
        {"path": "empty.xml", "position": "line 1, column 1", "reason": "the file is empty"}
    ]


def test_the_layout_reads_a_history_and_names_what_does_not_fit(run: Run, tmp_path: Path) -> None:
    for commit in ("c1", "c2"):
        folder = tmp_path / f"runs/{commit}/5-1/linux-pytest"
        folder.mkdir(parents=True)
        shutil.copy(FIXTURES / "pytest/xunit2-v.xml", folder / "junit.xml")
        shutil.copy(FIXTURES / "pytest/xunit2-v.log", folder / "console.log")
    (tmp_path / "runs/stray.xml").write_text(GOOD)
    code, out, err = run("runs", "--layout", "{commit}/{run_id}-{attempt}/{job}/**", "--json")
    document = json.loads(out)
    assert code == 0
    assert (document["artifacts"], document["new_results"]) == (5, 42)
    assert [entry["path"] for entry in document["rejected"]] == ["runs/stray.xml"]
    assert "runs/stray.xml: its path does not fit --layout" in err


def test_settings_come_from_the_environment_too(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "good.xml").write_text(GOOD)
    monkeypatch.setenv("FLAKEHUNTER_INGEST_COMMIT", "abc")
    monkeypatch.setenv("FLAKEHUNTER_DB", "other.db")
    assert run("good.xml")[0] == 0
    assert (tmp_path / "other.db").exists()


def test_the_ci_environment_is_told(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "good.xml").write_text(GOOD)
    for name, value in {"GITHUB_ACTIONS": "true", "GITHUB_SHA": "abc", "GITHUB_RUN_ID": "5"}.items():
        monkeypatch.setenv(name, value)
    assert "commit abc and the run are taken from the environment of github" in run("good.xml")[2]


def test_a_missing_commit_is_told(run: Run, tmp_path: Path) -> None:
    (tmp_path / "good.xml").write_text(GOOD)
    assert "hint: of 1 artifact no commit is known; give --commit" in run("good.xml")[2]


def test_quiet_says_nothing(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "good.xml").write_text(GOOD)
    assert main(["-q", "ingest", "good.xml", "--commit", "abc"]) == 0
    assert capsys.readouterr() == ("", "")


def _on_a_terminal(argv: list[str], folder: Path) -> bytes:
    """Run a command with a pseudo-terminal as stderr; return what it drew there."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(argv, cwd=folder, stdout=subprocess.DEVNULL, stderr=theirs, env=_environment()) as process:
        os.close(theirs)
        drawn = b""
        while True:
            try:
                piece = os.read(ours, 65536)
            except OSError:  # EIO: the last writer has gone
                break
            if not piece:
                break
            drawn += piece
        os.close(ours)
    assert process.returncode == 0
    return drawn


def _environment() -> dict[str, str]:
    return {**{name: value for name, value in os.environ.items() if name != "NO_COLOR"}, "TERM": "xterm"}


def test_progress_is_drawn_on_a_terminal_and_not_in_a_pipe(run: Run, tmp_path: Path) -> None:
    (tmp_path / "good.xml").write_text(GOOD)
    argv = [sys.executable, "-m", "flakehunter", "ingest", "good.xml", "--commit", "abc"]
    drawn = _on_a_terminal(argv, tmp_path)
    assert b"\x1b[" in drawn
    assert b"1/1" in drawn
    _, _, err = run("good.xml", "--commit", "abc")
    assert "\x1b" not in err
    assert "1/1" not in err


def test_the_command_makes_one_call_into_the_core(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from flakehunter.ingest import pipeline

    calls: list[tuple[Any, ...]] = []

    def fake(*arguments: Any) -> pipeline.Summary:
        calls.append(arguments)
        return pipeline.Summary()

    monkeypatch.setattr(pipeline, "ingest", fake)
    run("a", "b", "--db", "sqlite:///x.db", "--run-id", "5", "--attempt", "2", "--strict", "--project", "p")
    ((paths, url, options, observe),) = calls
    assert (paths, url, observe) == ([Path("a"), Path("b")], "sqlite:///x.db", None)
    assert (options.project, options.strict, options.repair) == ("p", True, True)
    assert (options.naming.given.external_id, options.naming.given.attempt) == ("5", 2)
