"""The sample project here and now: its fixed and its healthy tests pass, whatever its flawed ones do."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from recording import check

SUPERVISE = check.HERE / "recording" / "supervise.py"


def bad_tests(command: list[str], project: Path, junit: Path) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
    """Run a suite as the recorder does; return (class name, name) of all its tests, and of those that failed."""
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "TMPDIR": str(junit.parent)}
    supervised = [sys.executable, str(SUPERVISE), "250", "sample", "--", *command]
    done = subprocess.run(supervised, check=False, cwd=project, env=environment, capture_output=True, text=True)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    folder = junit.parent
    results = list(check.read(folder.parents[2]))
    return {r.test for r in results}, {r.test for r in results if r.outcome in ("failed", "errored")}


def of_kind(truth: dict[str, Any], kind: str, job: str) -> set[tuple[str, str]]:
    return {(t["classname"], t["name"]) for t in truth["tests"] if t["kind"] == kind and t.get("job") == job}


@pytest.fixture
def junit(tmp_path: Path) -> Path:
    """Give the path of a JUnit file where the record would have it."""
    folder = tmp_path / "commit" / "1-1" / "job"
    folder.mkdir(parents=True)
    return folder / "junit.xml"


def test_python_suite_only_flawed_tests_fail(project: Path, junit: Path, truth: dict[str, Any]) -> None:
    seen, bad = bad_tests([sys.executable, "-m", "pytest", "-q", f"--junitxml={junit}"], project, junit)
    flawed = of_kind(truth, "flawed", "linux-pytest")
    assert flawed | of_kind(truth, "fixed", "linux-pytest") <= seen
    assert bad <= flawed


@pytest.mark.needs("node")
def test_node_suite_only_flawed_tests_fail(project: Path, junit: Path, truth: dict[str, Any]) -> None:
    command = ["node", "node_modules/vitest/vitest.mjs", "run", "--reporter=junit", f"--outputFile={junit}"]
    seen, bad = bad_tests(command, project, junit)
    flawed = of_kind(truth, "flawed", "linux-vitest")
    assert flawed | of_kind(truth, "fixed", "linux-vitest") <= seen
    assert bad <= flawed


def test_lock_file_names_no_registry(project: Path) -> None:
    assert '"resolved"' not in (project / "package-lock.json").read_text(encoding="utf-8")


def test_truth_pairs_each_flawed_test_with_a_fixed_one(truth: dict[str, Any]) -> None:
    fixed = {test["id"] for test in truth["tests"] if test["kind"] == "fixed"}
    flawed = [test for test in truth["tests"] if test["kind"] == "flawed"]
    assert {test["fixed_by"] for test in flawed} <= fixed
    assert {test["mechanism"] for test in flawed} == {
        "check-before-exit",
        "zombie-counted-alive",
        "fixed-sleep",
        "signal-before-ready",
        "assign-after-exit",
        "survivor",
        "resource-still-held",
        "deadline-too-short",
    }
