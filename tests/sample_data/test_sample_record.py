"""The record of the runs, read straight from its files, against truth.json and the sample history."""

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from recording import check, history

LARGEST_BYTES = 6_000_000


@pytest.fixture(scope="module")
def results() -> list[check.Result]:
    """Give all results of the record."""
    return list(check.read())


def test_record_agrees_with_truth(results: list[check.Result], truth: dict[str, Any]) -> None:
    assert check.problems(results, truth, check.recorded_commits()) == []


def test_record_has_failed_jobs_run_again(results: list[check.Result]) -> None:
    again = {(r.commit, r.run, r.job) for r in results if r.attempt == 2}
    first_failed = {(r.commit, r.run, r.job) for r in results if r.attempt == 1 and r.outcome in ("failed", "errored")}
    assert again
    assert again <= first_failed


def test_record_is_of_this_history(tmp_path: Path) -> None:
    built = [commit.short for commit in history.build(tmp_path / "repository")]
    assert built == check.recorded_commits(), "the sample project has changed since: run `make sample-data`"


def test_every_job_has_its_log() -> None:
    folders = [file.parent for file in check.RUNS.glob("*/*/*/junit.xml")]
    assert folders
    stamp = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z ")
    for folder in folders:
        lines = (folder / "console.log").read_bytes().splitlines()
        stamped = [bool(stamp.match(line)) for line in lines]
        assert len(lines) > 5, folder
        assert set(stamped) == {folder.name != "linux-vitest"}, folder


def test_record_is_small_and_names_nothing_of_the_machine_that_made_it() -> None:
    files = [file for file in check.RUNS.rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) < LARGEST_BYTES
    here = [str(check.HERE.parent), *([sys.base_prefix] if sys.base_prefix != "/usr" else [])]
    unwanted = re.compile("|".join(map(re.escape, [*here, "/root/"])).encode())
    assert [file for file in files if unwanted.search(file.read_bytes())] == []


COMMITS = [f"{number:012x}" for number in range(12)]
FLAWED = ("t", "flawed")
HEALTHY = ("t", "healthy")
REGRESSED = ("t", "regressed")
TRUTH = {
    "tests": [
        {"classname": "t", "name": "flawed", "kind": "flawed", "flaky_since": 3},
        {"classname": "t", "name": "regressed", "kind": "regressed", "broken_from": 2, "mended_by": 4},
    ]
}


def made_up_record() -> list[check.Result]:
    """Return a record of 60 runs without a contradiction to TRUTH."""
    made = []
    for number, commit in enumerate(COMMITS, 1):
        for run in range(5):
            outcomes = {
                HEALTHY: "passed",
                FLAWED: "failed" if run == 2 and number >= 3 else "passed",
                REGRESSED: "failed" if number in (2, 3) else "passed",
            }
            made += [
                check.Result(commit, str(run), 1, job, test, outcome, "")
                for job in check.JOBS
                for test, outcome in outcomes.items()
            ]
    return made


def changed(results: Sequence[check.Result], place: int, **values: object) -> list[check.Result]:
    """Return the results with one of them replaced."""
    old = results[place]
    fields = {name: getattr(old, name) for name in old.__dataclass_fields__}
    return [*results[:place], check.Result(**{**fields, **values}), *results[place + 1 :]]


def test_check_of_a_sound_record_finds_nothing() -> None:
    assert check.problems(made_up_record(), TRUTH, COMMITS) == []


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda rows: rows[: len(rows) // 2], "fewer than 60"),
        (lambda rows: [r for r in rows if r.commit != COMMITS[5]], "are not the 12 of the history"),
        (lambda rows: [r for r in rows if (r.run, r.job) != ("1", "linux-vitest")], "jobs ['linux-pytest', 'win"),
        (lambda rows: changed(rows, 0, outcome="failed"), "t::healthy: healthy, but 1 of 180"),
        (lambda rows: changed(rows, 1, outcome="failed"), "but failed 1 times before"),
        (lambda rows: changed(rows, 2, outcome="errored"), f"t::regressed: errored at {COMMITS[0]}"),
        (lambda rows: [r for r in rows if r.test != FLAWED], "t::flawed: not in the record"),
        (lambda rows: [r for r in rows if r.test != FLAWED or r.outcome == "passed"], "at 0 commits only"),
    ],
    ids=["few-runs", "commit-missing", "job-missing", "healthy-failed", "too-early", "regression", "unknown", "never"],
)
def test_check_of_a_damaged_record_says_what_is_wrong(damage: Any, problem: str) -> None:
    found = check.problems(damage(made_up_record()), TRUTH, COMMITS)
    assert any(problem in line for line in found), found


def test_history_does_not_depend_on_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = history.build(tmp_path / "first")
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Somebody Else")
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".gitconfig").write_text("[commit]\n\tgpgsign = true\n[core]\n\tautocrlf = true\n")
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    assert history.build(tmp_path / "second") == first
    assert os.environ["GIT_AUTHOR_NAME"] == "Somebody Else"
