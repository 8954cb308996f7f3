"""Run by pytest on a Windows Python (test_windows.py starts it): Job Objects, processes, and the command line."""

import ctypes
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flakehunter.groupkill import Command, StartError, choose, probe_all, spawn
from flakehunter.groupkill.windows import api
from flakehunter.groupkill.windows.job import CheckedJobBackend, NaiveJobBackend
from flakehunter.groupkill.windows.job_object import Adoption, JobObject
from flakehunter.groupkill.windows.naive import TaskkillBackend
from flakehunter.groupkill.windows.process import create_process

PIPE, NULL = subprocess.PIPE, subprocess.DEVNULL
SLEEPER = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"]
PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])
print(child.pid, flush=True)
child.wait()
"""
FAMILY = [sys.executable, "-c", PARENT]
ECHO = """
import os, sys
print(sys.stdin.read() + os.getcwd() + os.environ['WORD'])
print('oops', file=sys.stderr)
sys.exit(7)
"""
LEAVES_A_CHILD = """
import subprocess, sys
subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])
sys.exit(7)
"""


def wait_for_end(process):
    """Wait until a process has ended; returns False after 30 s."""
    return api.has_ended(process, 30.0)


def test_a_command_and_its_child_are_created_inside_and_end_together():
    with spawn(FAMILY, backend="job-object", stdin=NULL, stdout=PIPE) as group:
        child = api.open_process(int(group.stdout.readline()))
        assert len(group.members()) == 2
        assert not group.wait_gone(0.05)
        report = group.terminate(grace_s=0)
        assert api.has_ended(child)  # no wait: the report says that all are gone
        child.close()
    assert report.clean
    assert report.pid_table_clean
    assert {member.status for member in report.members} == {1}
    assert all(member.start_ticks and member.exit_ms is not None and member.argv for member in report.members)
    assert report.verified_by
    assert group.returncode == 1
    assert group.close() is report


def test_streams_status_cwd_and_environment_are_as_in_subprocess(tmp_path):
    env = {**os.environ, "WORD": "ä b"}
    with spawn(
        [sys.executable, "-X", "utf8", "-c", ECHO], stdin=PIPE, stdout=PIPE, stderr=PIPE, cwd=tmp_path, env=env
    ) as group:
        output, errors = group.communicate(b"in", timeout_s=60)
        assert output.decode().strip() == f"in{tmp_path}ä b"
        assert errors.strip() == b"oops"
        assert group.wait(60) == 7


def test_what_cannot_be_started_says_why():
    with pytest.raises(StartError, match=r"cannot run 'no-such-program.exe': .*\(error 2\)"):
        spawn(["no-such-program.exe"], backend="job-object", stdin=NULL, stdout=PIPE)


@pytest.mark.parametrize("code", [0, 3, 259])
def test_adopting_a_process_that_has_ended_says_so_whatever_its_exit_code(code):
    process = create_process(Command((sys.executable, "-c", f"raise SystemExit({code})"), stdin=NULL))
    assert wait_for_end(process.process)
    job = JobObject()
    assert job.adopt(process.process) is Adoption.HAD_EXITED
    with pytest.raises(PermissionError) as refused:  # what Buildbot's worker ran into
        job.assign(process.process)
    assert refused.value.winerror == api.ERROR_ACCESS_DENIED
    job.close()
    process.close()


def test_adopting_tells_not_allowed_from_had_exited():
    process = create_process(Command(tuple(SLEEPER), stdin=NULL, stdout=PIPE))
    process.stdout.readline()
    job = JobObject()
    weak = api.open_process(process.pid)  # may look and wait, may not assign
    assert job.adopt(weak) is Adoption.NOT_ALLOWED
    assert job.adopt(process.process) is Adoption.CONTAINED
    assert job.active() == 1
    weak.close()
    job.close()  # kills on close
    assert wait_for_end(process.process)
    process.close()


def test_a_handle_is_closed_once_and_not_used_afterwards():
    job = JobObject()
    job.close()
    job.close()
    with pytest.raises(ValueError, match="closed"):
        job.active()


def test_a_killed_owner_takes_the_group_with_it():
    owner_code = (
        "import sys\nfrom flakehunter.groupkill import spawn\n"
        f"group = spawn({SLEEPER!r}, backend='job-object', stdin=-3, stdout=-1)\n"
        "group.stdout.readline()\nprint(group.pid, flush=True)\nsys.stdin.read()\n"
    )
    path = ";".join(sys.path)
    code = f"import sys; sys.path[:0] = {path!r}.split(';')\n{owner_code}"
    owner = subprocess.Popen([sys.executable, "-c", code], stdin=PIPE, stdout=PIPE)
    member = api.open_process(int(owner.stdout.readline()))
    assert not api.has_ended(member)
    owner.kill()
    owner.communicate()
    assert wait_for_end(member)
    member.close()


class Late(NaiveJobBackend):
    """Assigns when the command has ended: what a loaded machine does now and then."""

    def pause(self, process):
        assert wait_for_end(process.process)


class LateChecked(CheckedJobBackend):
    """The same with a look before."""

    swallows = False

    def pause(self, process):
        assert wait_for_end(process.process)


@pytest.mark.parametrize(
    ("backend", "code", "fails"),
    [(Late, 3, True), (LateChecked, 3, False), (LateChecked, 259, True)],
    ids=["naive", "checked", "checked-259"],
)
def test_the_rows_of_errors_come_out_again(backend, code, fails):
    for _ in range(5):
        try:
            with backend().spawn(["cmd", "/c", f"exit {code}"], stdin=NULL, stdout=NULL) as group:
                assert not group.contained
                failed = False
        except OSError as error:
            failed = error.winerror == api.ERROR_ACCESS_DENIED
        assert failed is fails


@pytest.mark.parametrize("kind", [NaiveJobBackend, CheckedJobBackend])
def test_a_grandchild_escapes_the_baselines(kind):
    class AfterTheGrandchild(kind):
        def pause(self, process):
            pids.append(int(process.stdout.readline()))

    pids = []
    with AfterTheGrandchild().spawn(FAMILY, stdin=NULL, stdout=PIPE) as group:
        grandchild = api.open_process(pids[0])
        report = group.terminate(grace_s=0)
        assert not api.has_ended(grandchild, 0.2)
        assert {member.pid for member in report.members} == {group.pid}
    stray = api.kernel32.OpenProcess(api.PROCESS_TERMINATE, False, pids[0])
    api.kernel32.TerminateProcess(stray, 1)
    api.kernel32.CloseHandle(stray)
    assert wait_for_end(grandchild)
    grandchild.close()


@pytest.mark.parametrize(("failures", "starts"), [(2, True), (3, False)])
def test_a_process_that_dies_before_its_first_instruction_is_started_again(monkeypatch, failures, starts):
    create = api.kernel32.CreateProcessW
    left = [api.ERROR_INTERNAL_ERROR] * failures

    def often_dead(*arguments):
        if not left:
            return create(*arguments)
        ctypes.set_last_error(left.pop())
        return 0

    monkeypatch.setattr(api.kernel32, "CreateProcessW", often_dead)
    if starts:
        with spawn(["cmd", "/c", "exit 3"], stdin=NULL, stdout=NULL) as group:
            assert group.wait(60) == 3
    else:
        with pytest.raises(StartError, match="error 1359"):
            spawn(["cmd", "/c", "exit 3"], stdin=NULL, stdout=NULL)
    assert not left


def test_auto_takes_the_job_and_the_others_say_why_not():
    assert choose().name == "job-object"
    found = probe_all()
    assert found["cgroup"].reason == "Linux only"
    assert found["naive"].usable
    assert found["taskkill"].reason  # Wine's has no /T, Windows' has


def with_taskkill(argv, program=None):
    """Start a command under the backend taskkill, whose probe says no under Wine; `program` stands for taskkill."""
    group = TaskkillBackend().spawn(argv, stdin=PIPE, stdout=PIPE)
    if program is not None:
        group.program = program
    return group


def exits_with(code):
    """Return a program that really ends so, whatever else stands on its command line."""
    return (sys.executable, "-S", "-c", f"raise SystemExit({code})")


@pytest.mark.parametrize(
    ("code", "text"),
    [(128, "exit code 128: no such process"), (255, "exit code 255: not all of the tree ended"), (0, None)],
)
def test_exit_codes_of_taskkill_are_told_from_success(code, text):
    # The program leaves the command alone, so the report must not be clean either.
    with with_taskkill(SLEEPER, exits_with(code)) as group:
        group.stdout.readline()
        report = group.terminate(grace_s=0, deadline_s=0.3)
        assert not report.clean
        assert [error for error in report.errors if error.startswith("taskkill")] == (
            [f"taskkill: {text}"] if text else []
        )
        assert report.survivors[0].pid == group.pid
        group.process.kill()


def test_taskkill_of_a_leader_that_has_ended_is_no_error():
    with with_taskkill([sys.executable, "-c", "print(1)"], exits_with(128)) as group:
        group.wait(60)
        report = group.terminate(grace_s=0)
    assert report.clean
    assert report.errors == ()


def test_wines_own_taskkill_knows_no_tree():
    # What this machine's taskkill says; Windows' ends the tree, and then the probe says yes.
    with with_taskkill(SLEEPER) as group:
        group.stdout.readline()
        report = group.terminate(grace_s=0, deadline_s=1.0)
        assert report.clean is not bool(report.survivors)
        assert report.clean or report.errors
        group.process.kill()


def flakehunter(*arguments):
    """Run the command line."""
    setting = f"import sys; sys.path[:0] = {sys.path!r}; sys.argv[1:] = {list(arguments)!r}; "
    # Compiled modules are kept, which an embedded Python does not do by itself: each start would take seconds.
    setting += f"sys.dont_write_bytecode = False; sys.pycache_prefix = {sys.pycache_prefix!r}; "
    code = setting + "from flakehunter.cli.app import main; sys.exit(main())"
    return subprocess.run([sys.executable, "-c", code], stdin=NULL, capture_output=True, text=True, check=False)


def test_the_command_line_starts_without_heavy_modules():
    done = flakehunter("--help")
    assert done.returncode == 0, done.stderr
    assert "wait-gone" in done.stdout


def test_run_returns_the_status_and_leaves_nothing(tmp_path):
    report = tmp_path / "report.json"
    done = flakehunter("run", "--report", str(report), "--grace", "0s", "--", sys.executable, "-c", LEAVES_A_CHILD)
    assert done.returncode == 7, done.stderr
    assert "outlived CMD" in done.stderr
    document = json.loads(report.read_text())
    assert document["clean"] is True
    assert document["backend"] == "job-object"
    assert len(document["members"]) == 2


def test_run_ends_the_command_at_its_time_limit():
    begin = time.monotonic()
    done = flakehunter("run", "--timeout", "1s", "--grace", "100ms", "--", *SLEEPER)
    assert done.returncode == 124, done.stderr
    assert time.monotonic() - begin < 100


def test_run_of_what_cannot_be_started_returns_125():
    done = flakehunter("run", "--", "no-such-program.exe")
    assert done.returncode == 125
    assert "cannot run 'no-such-program.exe'" in done.stderr


def test_wait_gone_tells_living_and_gone_apart():
    with spawn(SLEEPER, stdin=NULL, stdout=PIPE) as group:
        group.stdout.readline()
        done = flakehunter("wait-gone", "--deadline", "50ms", str(group.pid))
        assert (done.returncode, "still there" in done.stdout) == (1, True), done.stderr
        pid = group.pid
    assert Path(sys.executable).exists()
    assert flakehunter("wait-gone", str(pid)).returncode == 0
