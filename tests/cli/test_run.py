"""`flakehunter run`, `wait-gone` and `backends`, each in a process of its own: they take signals and orphans."""

import contextlib
import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from flakehunter.cli.app import main
from flakehunter.groupkill.linux.procfs import read_stat

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the Windows side has its own test")

FLAKEHUNTER = [sys.executable, "-m", "flakehunter"]


def flakehunter(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    """Run the command line to its end."""
    return subprocess.run(  # type: ignore[call-overload,no-any-return]
        [*FLAKEHUNTER, *arguments], capture_output=True, text=True, timeout=250, check=False, **options
    )


@contextlib.contextmanager
def running(*command: str) -> Iterator[subprocess.Popen[str]]:
    """Start `flakehunter run -- COMMAND` and wait for its first line."""
    with subprocess.Popen(
        [*FLAKEHUNTER, "run", "--", *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize(("script", "status"), [("exit 7", 7), ("kill -KILL $$", 137)])
def test_run_returns_the_status_of_the_command(script: str, status: int) -> None:
    done = flakehunter("run", "--", "bash", "-c", script)
    assert (done.returncode, done.stdout, done.stderr) == (status, "", "")


def test_run_passes_streams_arguments_and_environment_through() -> None:
    script = 'cat; printf "%s|" "$@" "$WORD" "$LC_CTYPE"; echo oops >&2'
    env = {**os.environ, "WORD": "a b", "LC_ALL": "C"}
    env.pop("LC_CTYPE", None)
    done = flakehunter("run", "bash", "-c", script, "name", "x y", "--timeout", "", env=env, input="in\n")
    assert done.stdout == "in\nx y|--timeout||a b||"
    assert done.stderr == "oops\n"


def test_run_ends_and_names_what_outlives_the_command(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    script = f"setsid sleep 4321 & echo $! > {tmp_path}/pid; exit 3"
    done = flakehunter("run", "--report", str(report), "--", "bash", "-c", script)
    assert done.returncode == 3
    pid = int((tmp_path / "pid").read_text())
    assert read_stat(pid) is None
    assert f"pid {pid} (" in done.stderr
    assert "outlived CMD" in done.stderr
    document = json.loads(report.read_text())
    assert document["schema_version"] == 1
    assert document["clean"] is True
    member = next(member for member in document["members"] if member["pid"] == pid)
    assert member["alive"] is False
    assert member["signals"][0][0] == "SIGTERM"
    assert member["exit_ms"] >= 0


def test_run_ends_the_command_at_its_time_limit() -> None:
    done = flakehunter(
        "run", "--timeout", "1s", "--grace", "50ms", "--", "bash", "-c", "trap '' TERM; while :; do sleep 9; done"
    )
    assert done.returncode == 124
    assert "still ran after 1s" in done.stderr
    assert "needed" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        ([], 2, "missing argument"),
        (["--timeout", "soon", "--", "true"], 2, "not a duration: 'soon'"),
        (["--timeout", "0", "--", "true"], 2, "leaves CMD no time"),
        (["--group-kill", "nosuch", "--", "true"], 2, "no group-kill backend 'nosuch'"),
        (["--group-kill", "systemd-scope", "--", "true"], 2, "cannot be used here"),
    ],
    ids=["empty", "duration", "zero", "backend", "unusable"],
)
def test_run_says_what_is_wrong_in_one_line_and_a_hint(
    arguments: list[str], status: int, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if "systemd-scope" in arguments and Path("/run/systemd/system").is_dir():
        pytest.skip("systemd runs this machine")
    assert main(["run", *arguments]) == status
    error = capsys.readouterr().err
    assert text in error
    assert "hint: " in error


@pytest.mark.parametrize(
    ("program", "text"),
    [("no-such-program", "No such file or directory"), ("/", "Permission denied")],
)
def test_run_of_what_cannot_be_started_returns_125(program: str, text: str) -> None:
    done = flakehunter("run", "--", program)
    assert done.returncode == 125
    assert f"cannot run '{program}': {text}" in done.stderr
    assert "hint: " in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_a_signal_reaches_the_command_and_its_own_status_counts(number: signal.Signals) -> None:
    name = number.name.removeprefix("SIG")
    with running("bash", "-c", f"trap 'exit 9' {name}; echo up; while :; do sleep 0.01; done") as process:
        process.send_signal(number)
        assert process.wait(30) == 9


def test_a_signal_that_ends_the_command_gives_128_plus_n() -> None:
    with running("bash", "-c", "sleep 4321 & echo up; wait") as process:
        process.terminate()
        assert process.wait(30) == 143
        assert process.stderr is not None
        assert "SIGTERM was passed on" in process.stderr.read()


def test_other_signals_go_to_the_command_alone() -> None:
    # A sleep would die of SIGUSR1: it must not get it.
    script = "trap 'kill -0 $! && exit 8' USR1; sleep 4321 & echo up; while :; do wait; done"
    with running("bash", "-c", script) as process:
        process.send_signal(signal.SIGUSR1)
        assert process.wait(30) == 8


def test_a_background_job_gets_sigint_at_its_default() -> None:
    # A shell starts background jobs with SIGINT ignored, and ignored signals stay ignored over exec.
    script = f"{sys.executable} -m flakehunter run -- bash -c 'echo up; kill -INT $$; echo lived' & wait $!"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=250, check=False)
    assert (done.returncode, done.stdout) == (130, "up\n")


def test_orphans_that_end_are_reaped_while_the_command_runs(tmp_path: Path) -> None:
    script = f"(bash -c 'echo $$ > {tmp_path}/orphan; exec sleep 0.05' &); echo up; while :; do sleep 0.01; done"
    with running("bash", "-c", script) as process:
        while not (tmp_path / "orphan").exists() or not (tmp_path / "orphan").read_text().strip():
            time.sleep(0.005)
        orphan = int((tmp_path / "orphan").read_text())
        while read_stat(orphan) is not None:  # the time limit of the test is the deadline
            time.sleep(0.005)
        process.terminate()
        process.wait(30)


def test_on_a_terminal_the_command_reads_it_and_gets_ctrl_c() -> None:
    script = "trap 'echo caught; exit 6' INT; read -r line; echo got $line; while :; do sleep 0.01; done"
    pid, master = pty.fork()
    if pid == 0:
        os.execv(sys.executable, [*FLAKEHUNTER, "run", "--", "bash", "-c", script])
    output = b""
    os.write(master, b"hello\n")
    while b"got hello" not in output:
        output += os.read(master, 4096)
    os.write(master, b"\x03")
    with contextlib.suppress(OSError):  # EIO: the last process on the terminal has gone
        while part := os.read(master, 4096):
            output += part
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 6
    assert b"caught" in output
    os.close(master)


@pytest.mark.parametrize("backend", ["process-group", "subreaper", "cgroup", "pid-namespace", "session", "naive"])
def test_a_command_may_read_the_terminal_from_its_first_moment(backend: str) -> None:
    # Nobody gives it the terminal afterwards: a command that did not have it at its start would be stopped by SIGTTIN.
    program = (
        "import sys\nfrom flakehunter.groupkill.choice import load_backend\n"
        "COMMAND = ['bash', '-c', 'read -r line; echo got $line']\n"
        "with load_backend(sys.argv[1]).spawn(COMMAND, foreground=True) as group:\n"
        "    raise SystemExit(group.wait(60))\n"
    )
    pid, master = pty.fork()
    if pid == 0:
        os.execv(sys.executable, [sys.executable, "-c", program, backend])
    os.write(master, b"hello\n")
    output = b""
    with contextlib.suppress(OSError):  # EIO: the last process on the terminal has gone
        while part := os.read(master, 4096):
            output += part
    os.close(master)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, output
    assert b"got hello" in output


def test_wait_gone_tells_living_dead_and_zombie_apart(capsys: pytest.CaptureFixture[str]) -> None:
    sleeper = subprocess.Popen(["sleep", "4321"])
    zombie = subprocess.Popen(["true"])
    os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)
    while (stat := read_stat(sleeper.pid)) is None or stat.state != "S":  # it runs until it sleeps
        pass
    try:
        assert main(["wait-gone", "--deadline", "50ms", str(sleeper.pid), str(zombie.pid)]) == 1
        output = capsys.readouterr().out
        assert f"{sleeper.pid} still there (S)" in output
        assert "sleep 4321" in output
        assert f"{zombie.pid} still there (Z)" in output
        assert "--zombies-ok" in output
        assert main(["wait-gone", "--zombies-ok", str(zombie.pid)]) == 0
        assert "a zombie, counted as gone" in capsys.readouterr().out
    finally:
        sleeper.kill()
        sleeper.wait()
        zombie.wait()


def test_wait_gone_waits_for_a_process_that_ends_meanwhile() -> None:
    ending = subprocess.Popen(["bash", "-c", "read -r _"], stdin=subprocess.PIPE)
    command = [*FLAKEHUNTER, "wait-gone", "--json", "--deadline", "30s", str(ending.pid)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as wait:
        assert ending.stdin is not None
        ending.stdin.close()
        ending.wait()
        output, _ = wait.communicate()
    document = json.loads(output)
    assert wait.returncode == 0
    assert document["all_gone"] is True
    assert document["schema_version"] == 1
    assert document["processes"][0]["pid"] == ending.pid


@pytest.mark.parametrize("arguments", [["0"], ["-5"], ["abc"], []])
def test_wait_gone_refuses_what_is_no_pid(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["wait-gone", *arguments]) == 2
    assert "hint: see flakehunter wait-gone --help" in capsys.readouterr().err


def test_backends_prints_a_dry_run_of_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["backends", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    found = {backend["name"]: backend for backend in document["backends"]}
    assert document["schema_version"] == 1
    assert found[document["auto"]]["usable"] is True
    assert {"cgroup", "subreaper", "process-group", "session", "process-tree", "pid-namespace", "naive"} <= set(found)
    assert all(backend["reason"] for backend in found.values())
    assert found["process-group"]["can_escape"] is True
    assert found["subreaper"]["sees_all_members"] is True
