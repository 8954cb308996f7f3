"""The Windows case, under Wine: a real AssignProcessToJobObject, a real error 5."""

import json
from pathlib import Path
from typing import Any

import pytest
import windows_python
from recording import check

pytestmark = pytest.mark.timeout(400)  # only one at a time runs on Windows, and the others take their time

CACHE = Path(__file__).resolve().parents[2] / ".cache" / "windows-python"

# The command always ends before its Job Object is made: the order that the flawed form loses in some runs only.
ENDED_FIRST = """
import json, subprocess, sys
sys.path.insert(0, ".")
from jobkeeper import winjob

class Popen(subprocess.Popen):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        started.append(self)

class JobObject(winjob.JobObject):
    def __init__(self):
        for process in started:
            process.wait(60)
        super().__init__()

started = []
winjob.subprocess.Popen = Popen
winjob.JobObject = JobObject
try:
    winjob.start(["cmd", "/c", "echo hello"])
    flawed = None
except OSError as error:
    flawed = [type(error).__name__, error.winerror]
tolerant = winjob.start_tolerant(["cmd", "/c", "echo hello"])
started.clear()
suspended = winjob.start_suspended(["cmd", "/c", "echo hello"])
members = suspended.job.total_processes()
print(json.dumps({
    "flawed": flawed,
    "tolerant": [tolerant.hello, tolerant.finish(60)],
    "suspended": [suspended.hello, suspended.finish(60), members],
}))
"""


@pytest.fixture(scope="module")
def windows() -> windows_python.WindowsPython:
    """Give the Windows Python that `make windows-python` has set up; it is set up here if need be."""
    return windows_python.set_up(CACHE)


@pytest.mark.needs("wine")
def test_child_that_ended_first_error_5_only_in_the_flawed_form(
    windows: windows_python.WindowsPython, project: Path
) -> None:
    done = windows.run("-c", ENDED_FIRST, cwd=project, limit_s=300)
    assert done.returncode == 0, done.stdout
    assert json.loads(done.stdout.splitlines()[-1]) == {
        "flawed": ["PermissionError", 5],
        "tolerant": ["hello\n", 0],
        "suspended": ["hello\n", 0, 1],
    }


@pytest.mark.needs("wine")
def test_windows_suite_only_the_flawed_test_fails(
    windows: windows_python.WindowsPython, project: Path, tmp_path: Path, truth: dict[str, Any]
) -> None:
    folder = tmp_path / "commit" / "1-1" / "windows-pytest"
    folder.mkdir(parents=True)
    junit = "Z:" + str(folder / "junit.xml").replace("/", "\\")
    environment = {"PYTHONDONTWRITEBYTECODE": "1"}
    done = windows.run("-m", "pytest", "-q", f"--junitxml={junit}", cwd=project, limit_s=300, env=environment)
    assert done.returncode in (0, 1), done.stdout
    results = {result.test: result.outcome for result in check.read(tmp_path)}
    ours = [test for test in truth["tests"] if test.get("job") == "windows-pytest"]
    assert {(test["classname"], test["name"]) for test in ours} <= results.keys(), done.stdout
    flawed = {(test["classname"], test["name"]) for test in ours if test["kind"] == "flawed"}
    assert {test for test, outcome in results.items() if outcome != "passed"} <= flawed
