"""Trials under real supervisors: what they start with, what is left of them, what is reported."""

import json
import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from judge import await_childless
from trees import UNTIL_NAMED_SLEEP

from flakehunter.groupkill.linux.procfs import read_stat
from flakehunter.repro.linux.nurseries import ForkNursery, start_nursery, start_warm_nursery
from flakehunter.repro.stressors import parse_stress
from flakehunter.repro.trial import Nursery, TrialError, TrialReport, TrialSpec

FACTS = """
import json, os, sys
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
facts = dict(pid=os.getpid(), pgid=os.getpgid(0), sid=os.getsid(0), ppid=os.getppid(), cwd=os.getcwd(),
             ignored=int(status["SigIgn"], 16), blocked=int(status["SigBlk"], 16),
             fds=sorted(os.listdir("/proc/self/fd")), x=os.environ["X"])
json.dump(facts, sys.stdout)
"""
NOT_OURS = 1 << (signal.SIGPIPE - 1) | 1 << (signal.SIGXFSZ - 1) | 1 << 31 | 1 << 32
"""Python itself ignores the first two; 32 and 33 are the C library's, which lets nobody set them (signal(7))."""


@pytest.fixture(scope="module")
def nursery() -> Iterator[ForkNursery]:
    """Give one nursery to all tests, started as a background job of a script would be: with SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        started = start_nursery()
    finally:
        signal.signal(signal.SIGINT, before)
    with started:
        yield started


@pytest.fixture(autouse=True)
def no_process_left(nursery: ForkNursery) -> Iterator[None]:
    """Watch for what a trial leaves below the nursery, instead of for the nursery itself."""
    yield
    await_childless(nursery.pid, within_s=60)


def spec_of(folder: Path, *argv: str, limit_s: float = 90.0) -> TrialSpec:
    environment = {**os.environ, "X": "y", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return TrialSpec(argv=argv, cwd=str(folder), env=environment, output=str(folder / "out"), time_limit_s=limit_s)


def bash(nursery: Nursery, folder: Path, line: str, *, limit_s: float = 90.0, stress: str = "none") -> TrialReport:
    return nursery.run(parse_stress(stress).apply(spec_of(folder, "bash", "-c", line, limit_s=limit_s)))


def test_a_trial_starts_as_a_ci_step_would(nursery: Nursery, tmp_path: Path) -> None:
    report = nursery.run(spec_of(tmp_path, sys.executable, "-c", FACTS))
    facts = json.loads((tmp_path / "out").read_text())
    assert report.status == 0
    assert facts["ignored"] & ~NOT_OURS == 0
    assert facts["blocked"] == 0
    assert facts["pgid"] == facts["pid"]
    assert facts["sid"] == facts["ppid"]
    assert facts["fds"][:3] == ["0", "1", "2"]
    assert len(facts["fds"]) == 4  # the fourth is the listing itself
    assert (facts["cwd"], facts["x"]) == (str(tmp_path), "y")


@pytest.mark.parametrize(("line", "status"), [("exit 0", 0), ("exit 3", 3), ("kill -SEGV $$", -11)])
def test_the_status_is_the_command_s(nursery: Nursery, tmp_path: Path, line: str, status: int) -> None:
    report = bash(nursery, tmp_path, line)
    assert (report.status, report.hung, report.clean) == (status, False, True)


def test_a_program_that_cannot_be_executed_ends_with_127(nursery: Nursery, tmp_path: Path) -> None:
    report = nursery.run(spec_of(tmp_path, str(tmp_path)))
    assert report.status == 127
    assert "cannot start" in (tmp_path / "out").read_text()


def test_what_outlives_the_command_is_ended_and_named(nursery: Nursery, tmp_path: Path) -> None:
    line = f"sleep 300 & {UNTIL_NAMED_SLEEP}; setsid sleep 301 & {UNTIL_NAMED_SLEEP}; trap '' TERM; "
    line += f"sleep 302 & {UNTIL_NAMED_SLEEP}; exit 0"
    report = bash(nursery, tmp_path, line)
    assert report.clean
    assert sorted(process.argv for process in report.survivors) == ["sleep 300", "sleep 301", "sleep 302"]
    assert all(process.exit_status == -9 and not process.left for process in report.survivors)
    assert report.processes[0].argv.startswith("bash -c")
    assert not report.processes[0].survived


def test_an_orphan_is_reaped_at_once(nursery: Nursery, tmp_path: Path) -> None:
    report = bash(
        nursery, tmp_path, "(sleep 0.01 & echo $! > pid); p=$(cat pid); until ! kill -0 $p 2>/dev/null; do :; done"
    )
    assert report.status == 0
    assert report.duration_s < 20


def test_a_late_reaper_keeps_orphans_as_zombies(nursery: Nursery, tmp_path: Path) -> None:
    # It ends only once it is an orphan: a shell would reap its own child.
    orphan = "mkfifo go; (read x <go & echo $! > pid); echo now >go; p=$(cat pid)"
    look = f"{orphan}; until grep -q 'State:.Z' /proc/$p/status; do :; done; exit 5"
    report = bash(nursery, tmp_path, look, stress="reap-delay:20s")
    assert report.status == 5
    assert [process.state for process in report.processes[1:]] == ["Z"]
    assert report.survivors == ()


def test_a_trial_over_its_limit_is_ended_with_all_below_it(nursery: Nursery, tmp_path: Path) -> None:
    report = bash(nursery, tmp_path, "trap '' TERM INT; setsid sleep 300 & sleep 301", limit_s=0.3)
    assert (report.hung, report.status, report.clean) == (True, None, True)


def test_hogs_run_in_sessions_of_their_own_and_end_with_the_trial(nursery: Nursery, tmp_path: Path) -> None:
    script = (
        "import os\n"
        "def stat(pid): return open(f'/proc/{pid}/stat').read().rpartition(')')[2].split()\n"
        "def hogs(): return [c for c in open(f'/proc/{os.getppid()}/task/{os.getppid()}/children').read().split()\n"
        "    if int(c) != os.getpid() and stat(c)[0] == 'R' and stat(c)[3] == c]\n"
        "while len(hogs()) < 3: pass\n"
    )
    report = nursery.run(parse_stress("cpu:3").apply(spec_of(tmp_path, sys.executable, "-S", "-c", script)))
    assert report.status == 0
    assert len(report.survivors) == 0
    assert report.clean


def test_a_killed_supervisor_leaves_nothing(nursery: Nursery, tmp_path: Path) -> None:
    with pytest.raises(TrialError, match="supervisor died"):
        bash(nursery, tmp_path, "setsid sleep 300 & sleep 301 & kill -9 $PPID; wait")
    assert bash(nursery, tmp_path, "exit 0").status == 0


def test_a_stream_of_orphans_are_all_reaped(nursery: Nursery, tmp_path: Path) -> None:
    report = bash(nursery, tmp_path, "for i in $(seq 300); do (true &) ; done; exit 0")
    assert (report.status, report.clean) == (0, True)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "test_it.py").write_text(
        "import subprocess, os\n"
        "def test_pass():\n    assert os.environ['X'] == 'y'\n"
        "def test_fail():\n    print('seen')\n    assert 1 == 2\n"
        "def test_leave():\n    subprocess.Popen(['sleep', '300']).returncode = 0\n"
    )
    return tmp_path


def warm_spec(project: Path, argv: list[str]) -> TrialSpec:
    return replace(spec_of(project, *argv), junit=str(project / "junit.xml"), has_window=True)


@pytest.mark.parametrize(("test", "status"), [("test_pass", 0), ("test_fail", 1)])
def test_a_warm_pytest_reports_as_a_cold_one(nursery: Nursery, project: Path, test: str, status: int) -> None:
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"test_it.py::{test}"]
    spec = warm_spec(project, argv)
    with start_warm_nursery(argv, spec.env, project) as warm:
        reports = [warm.run(parse_stress(stress).apply(spec)) for stress in ("none", "cpu:2", "none")]
    assert [report.status for report in reports] == [status] * 3
    assert f'name="{test}"' in (project / "junit.xml").read_text()
    output = (project / "out").read_text()
    assert ("seen" in output and "1 failed" in output) if status else "1 passed" in output
    cold = nursery.run(replace(spec, argv=(*argv, f"--junitxml={project}/cold.xml"), junit=None))
    assert cold.status == status


def test_a_warm_pytest_may_have_workers(project: Path) -> None:
    plugins = ["-p", "xdist", "-n", "1", "-p", "no:cacheprovider"]
    argv = [sys.executable, "-m", "pytest", "-q", *plugins, "test_it.py::test_fail"]
    spec = warm_spec(project, argv)
    with start_warm_nursery(argv, spec.env, project) as warm:
        assert warm.run(spec).status == 1
    assert 'name="test_fail"' in (project / "junit.xml").read_text()


def test_a_warm_pytest_is_told_of_survivors_too(project: Path) -> None:
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_it.py::test_leave"]
    spec = warm_spec(project, argv)
    with start_warm_nursery(argv, spec.env, project) as warm:
        report = warm.run(spec)
    assert [process.argv for process in report.survivors] == ["sleep 300"]


STARTS_A_PROCESS = """
import pathlib, subprocess
pathlib.Path("pids").write_text(str(subprocess.Popen(["sleep", "300"]).pid))
"""


@pytest.mark.parametrize(
    ("conftest", "why"),
    [
        ("import threading, time\nthreading.Thread(target=time.sleep, args=(300,), daemon=True).start()\n", "thread"),
        (STARTS_A_PROCESS, "process"),
        ("raise SystemExit(3)\n", "ended while it started"),
    ],
    ids=["thread", "process", "exit"],
)
def test_a_pytest_that_cannot_be_forked_safely_is_refused(project: Path, conftest: str, why: str) -> None:
    (project / "conftest.py").write_text(conftest)
    argv = [sys.executable, "-m", "pytest", "-q", "test_it.py"]
    with pytest.raises(TrialError, match=why):
        start_warm_nursery(argv, warm_spec(project, argv).env, project)
    for pid in (project / "pids").read_text().split() if why == "process" else ():
        assert read_stat(int(pid)) is None, "it would have lived until the end of the experiment"
