"""The supervisor that the recorded jobs run under."""

import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from recording import check

SUPERVISE = [sys.executable, str(check.HERE / "recording" / "supervise.py")]


def supervised(*command: str, limit_s: float = 60) -> "subprocess.CompletedProcess[str]":
    """Run a command under the supervisor."""
    argv = [*SUPERVISE, str(limit_s), "sample", "--", *command]
    return subprocess.run(argv, check=False, capture_output=True, text=True)


@pytest.mark.parametrize("code", [0, 1, 77])
def test_exit_code_is_the_command_s(code: int) -> None:
    assert supervised("sh", "-c", f"exit {code}").returncode == code


def test_command_that_does_not_exist_exit_127() -> None:
    done = supervised("./no-such-command")
    assert done.returncode == 127
    assert "No such file" in done.stderr


def test_time_limit_ends_a_deaf_command() -> None:
    done = supervised("sh", "-c", "trap '' TERM INT; echo $$; while :; do sleep 30; done", limit_s=2)
    assert done.returncode == 124
    assert not psutil.pid_exists(int(done.stdout))


def test_daemons_are_ended_with_the_command() -> None:
    done = supervised("sh", "-c", "setsid sh -c 'setsid sleep 300 & echo $!' ")
    assert done.returncode == 0
    assert not psutil.pid_exists(int(done.stdout))


def test_orphans_are_reaped_while_the_command_runs() -> None:
    # Only a reaped process leaves /proc: the command itself is not the parent of the orphan.
    script = """
        orphan=$(sh -c 'true & echo $!')
        for i in $(seq 500); do [ -e /proc/$orphan ] || exit 0; sleep 0.02; done
        exit 1
    """
    assert supervised("sh", "-c", script).returncode == 0


def test_signal_ends_the_supervisor_and_the_command(tmp_path: Path) -> None:
    argv = [*SUPERVISE, "60", "sample", "--", "sh", "-c", "echo $$; sleep 300 & echo $!; wait"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        pids = [int(process.stdout.readline()) for _ in range(2)]
        process.terminate()
        assert process.wait(30) == 143
    assert [pid for pid in pids if psutil.pid_exists(pid)] == []
