"""`flakehunter report` as a user runs it: what is data, what is told, and what becomes of wrong input."""

import json
import sqlite3
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from report_builder import START, Builder, team_history

from flakehunter.cli.app import main
from flakehunter.exitcodes import ExitCode

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Run a command in an empty folder; return exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> tuple[int, str, str]:
        code = main(list(arguments))
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def test_path_of_the_first_page_is_data_and_the_rest_is_told(run: Run, tmp_path: Path) -> None:
    team_history(tmp_path / "team.db")
    code, out, err = run("report", "--db", "team.db", "-o", "site")
    assert code == ExitCode.OK
    assert Path(out.strip()) == Path("site/index.html")
    assert Path(out.strip()).is_file()
    assert "2 flaky tests of 10, 8 of 42 jobs lost to flakes alone" in err
    assert "wrote 15 pages" in err
    assert "judging" not in err


def test_tests_are_judged_first_where_nobody_has(run: Run, tmp_path: Path) -> None:
    with Builder(tmp_path / "x.db") as build:
        runs = [build.run(f"c{place // 2}", attempt=1 + place % 2) for place in range(24)]
        build.results(build.test("flaky"), runs, ".F..F...F..FF....F.F.F..", failure=build.failure("process is alive"))
        build.results(build.test("healthy"), runs, "." * 24)
    code, _out, err = run("report", "--db", "x.db", "-o", "site")
    assert code == ExitCode.OK
    assert "judging the tests first" in err
    assert "1 flaky test of 2" in err
    _code, _out, err = run("report", "--db", "x.db", "-o", "site")
    assert "judging" not in err, "the verdicts are new now"


def test_old_verdicts_are_told_when_nobody_may_judge(run: Run, tmp_path: Path) -> None:
    with Builder(tmp_path / "x.db") as build:
        test = build.test("flaky")
        build.results(test, [build.run("c1"), build.run("c2")], ".F")
        build.verdict(test, decided_at=START.replace(year=2025))
    code, _out, err = run("report", "--db", "x.db", "-o", "site", "--no-detect")
    assert code == ExitCode.OK
    assert "warning" in err
    assert "not up to date" in (tmp_path / "site/index.html").read_text(encoding="utf-8")


def test_no_database_is_nothing_to_do(run: Run) -> None:
    code, out, err = run("report", "-o", "site")
    assert (code, out) == (ExitCode.NOTHING, "")
    assert "there is no database" in err
    assert "hint: run flakehunter ingest PATH first" in err
    assert not Path("site").exists()


def test_an_empty_database_is_nothing_to_do(run: Run, tmp_path: Path) -> None:
    with Builder(tmp_path / "x.db"):
        pass
    code, _out, err = run("report", "--db", "x.db", "-o", "site")
    assert code == ExitCode.NOTHING
    assert "hint: run flakehunter ingest PATH first" in err


def test_a_file_that_is_no_database_is_a_database_error(run: Run, tmp_path: Path) -> None:
    (tmp_path / "x.db").write_bytes(b"not a database at all, but long enough to be read as one" * 40)
    code, _out, err = run("report", "--db", "x.db", "-o", "site")
    assert code == ExitCode.DATABASE
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["-o", "/proc/nowhere"], "cannot write the report"),
        (["-o", "taken"], "is in the way and was not written by flakehunter report"),
        (["-o", "team.db"], "is not a folder"),
        (["-o", "site", "--templates", "missing"], "there is no template folder missing"),
        (["-o", "site", "--since", "yesterday"], "--since 'yesterday' is no day"),
        (["-o", "site", "--codeowners", "missing"], "cannot read missing: No such file"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_input_is_one_line_and_a_hint(run: Run, tmp_path: Path, arguments: list[str], says: str) -> None:
    team_history(tmp_path / "team.db")
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken/index.html").write_text("mine")
    code, out, err = run("report", "--db", "team.db", *arguments)
    assert (code, out) == (ExitCode.USAGE, "")
    assert says in err
    assert "\n  hint: " in err
    assert (tmp_path / "taken/index.html").read_text() == "mine"


def test_limits_are_told_on_the_page(run: Run, tmp_path: Path) -> None:
    team_history(tmp_path / "team.db")
    (tmp_path / "CODEOWNERS").write_text("*.ts @web\n")
    code, _out, err = run("report", "--db", "team.db", "-o", "site", "--owner", "@web", "--since", "2026-04-01")
    assert code == ExitCode.OK
    assert "1 flaky test of 10" in err
    page = (tmp_path / "site/index.html").read_text(encoding="utf-8")
    assert "Limited to <b>runs since 2026-04-01, tests of @web</b>" in page
    assert run("report", "--db", "team.db", "-o", "site", "--since", "1d")[0] == ExitCode.NOTHING


def test_a_report_reads_and_changes_nothing(run: Run, tmp_path: Path) -> None:
    team_history(tmp_path / "team.db")
    with sqlite3.connect(tmp_path / "team.db") as connection:
        before = list(connection.iterdump())
    connection.close()
    run("report", "--db", "team.db", "-o", "site")
    with sqlite3.connect(tmp_path / "team.db") as connection:
        assert list(connection.iterdump()) == before
    connection.close()


def growing_history(path: Path) -> None:
    """A test that becomes flaky in the second half of 40 days, two runs a day."""
    with Builder(path) as build:
        days = [START + timedelta(days=place) for place in range(40)]
        runs = [build.run(f"{place:040x}", attempt=n, at=day) for place, day in enumerate(days) for n in (1, 2)]
        build.results(build.test("was_healthy"), runs, "." * 40 + ".F" * 20, failure=build.failure("still alive"))


def test_diff_between_days_judges_the_history_as_it_was(run: Run, tmp_path: Path) -> None:
    growing_history(tmp_path / "x.db")
    then = (START + timedelta(days=19)).date().isoformat()
    assert run("detect", "--db", "x.db")[0] == ExitCode.OK
    code, out, _err = run("report", "--db", "x.db", "--diff", then, "now", "--json")
    assert code == ExitCode.OK
    changed = json.loads(out)
    assert [row["id"] for row in changed["new"]] == ["pytest::tests.test_group::was_healthy"]
    assert (changed["until"], changed["new_jobs"], changed["lost_jobs"]) == (then, 40, 20)
    code, out, _err = run("report", "--db", "x.db", "--diff", "now", then)
    assert "**no longer flaky**: `pytest::tests.test_group::was_healthy`" in out
    code, _out, err = run("report", "--db", "x.db", "--diff", "2001-02-03", "now")
    assert code == ExitCode.NOTHING
    assert "there was no run yet at 2001-02-03" in err
    code, _out, err = run("report", "--db", "x.db", "--diff", "2026-13-03", "now")
    assert code == ExitCode.USAGE
    assert "--diff '2026-13-03' is no day" in err


def test_texts_beside_the_site_are_those_of_the_formats(run: Run, tmp_path: Path) -> None:
    team_history(tmp_path / "team.db")
    forms = {"markdown": "a.md", "json": "a.json", "badge": "a.svg", "codequality": "q.json"}
    words = [word for form, file in forms.items() for word in ("--also", f"{form}={file}")]
    code, out, _err = run("report", "--db", "team.db", "-o", "site", *words)
    assert (code, out.strip()) == (ExitCode.OK, str(Path("site/index.html")))
    for form, file in forms.items():
        assert run("report", "--db", "team.db", "--format", form)[1] == (tmp_path / file).read_text(encoding="utf-8")
    for wrong in ("markdown", "html=x", "csv=x", "badge="):
        code, _out, err = run("report", "--db", "team.db", "--also", wrong)
        assert code == ExitCode.USAGE
        assert f"--also {wrong!r} is no FORMAT=FILE" in err
    assert run("report", "--db", "team.db", "--json", "--also", "badge=x")[0] == ExitCode.USAGE


def test_lines_that_scan_found_are_quoted_on_the_page(run: Run, tmp_path: Path) -> None:
    with Builder(tmp_path / "x.db") as build:
        test = build.test("test_kill", classname="tests.test_a", framework="pytest", file="tests/test_a.py")
        build.results(test, [build.run("c1", attempt=n) for n in range(1, 9)], ".F.F...F", failure=build.failure("no"))
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/test_a.py").write_text(
        "import os, signal\n\n\n"
        "def test_kill(pid):\n    os.kill(pid, signal.SIGTERM)\n    assert not is_alive(pid)\n\n\n"
        "def is_alive(pid):\n    try:\n        os.kill(pid, 0)\n    except ProcessLookupError:\n        return False\n"
        "    return True\n"
    )
    assert run("scan", "tests", "--db", "x.db")[0] == ExitCode.OK
    assert run("report", "--db", "x.db", "-o", "site")[0] == ExitCode.OK
    (page,) = (tmp_path / "site/tests").glob("test-kill-*.html")
    text = page.read_text(encoding="utf-8")
    assert "    5 signals | os.kill(pid, signal.SIGTERM)" in text
    assert "    6 looks   | assert not is_alive(pid)" in text
