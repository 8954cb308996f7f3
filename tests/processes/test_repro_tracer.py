"""The tracing supervisor on the kinds of processes that tracers get wrong."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from judge import await_childless
from trees import UNTIL_NAMED_SLEEP

from flakehunter.groupkill.linux.procfs import read_stat
from flakehunter.repro.linux.nurseries import ForkNursery, start_nursery
from flakehunter.repro.stressors import parse_stress
from flakehunter.repro.trial import Nursery, TrialError, TrialReport, TrialSpec

LOOKS_AT_ONCE = """
import os, signal, subprocess, sys, time
line = "sleep 300 & echo $!; wait"
child = subprocess.Popen(["bash", "-c", line], stdout=subprocess.PIPE, text=True, process_group=0)
grandchild = int(child.stdout.readline())
while not os.readlink(f"/proc/{grandchild}/exe").endswith("sleep"): pass
os.killpg(child.pid, signal.SIGTERM)
child.wait()
deadline = time.monotonic() + float(sys.argv[1])
while True:
    try: os.kill(grandchild, 0)
    except ProcessLookupError: sys.exit(0)
    if time.monotonic() >= deadline: sys.exit(1)
    time.sleep(0.005)
"""


@pytest.fixture(scope="module")
def nursery() -> Iterator[ForkNursery]:
    with start_nursery() as started:
        yield started


@pytest.fixture(autouse=True)
def no_process_left(nursery: ForkNursery) -> Iterator[None]:
    """Watch for what a trial leaves below the nursery, instead of for the nursery itself."""
    yield
    await_childless(nursery.pid, within_s=60)


def trace(nursery: Nursery, folder: Path, *argv: str, stress: str = "control", limit_s: float = 60.0) -> TrialReport:
    spec = TrialSpec(argv=argv, cwd=str(folder), env=dict(os.environ), output=str(folder / "out"), time_limit_s=limit_s)
    return nursery.run(parse_stress(stress).apply(spec))


def python(nursery: Nursery, folder: Path, code: str, *words: str, stress: str = "control") -> TrialReport:
    return trace(nursery, folder, sys.executable, "-S", "-c", code, *words, stress=stress)


@pytest.mark.parametrize(
    ("stress", "slack_s", "status"),
    [
        # Where the test fails nobody waits for the delay: it is longer than any look of a busy machine is late.
        ("delay:exit:20s@3", "0", 1),
        ("delay:exit:20s@sleep", "0.1", 1),
        ("delay:exit:20s@depth=2", "0.1", 1),
        ("delay:exit:20s@depth=3", "20", 0),
        ("delay:exit:400ms@3", "20", 0),
        ("delay:signal:20s@3", "0.1", 1),
        ("delay:report:20s@3", "0.1", 1),
    ],
)
def test_one_late_event_of_one_process_decides_the_test(
    nursery: Nursery, tmp_path: Path, stress: str, slack_s: str, status: int
) -> None:
    for _ in range(2):
        assert python(nursery, tmp_path, LOOKS_AT_ONCE, slack_s, stress=stress).status == status


def test_every_process_is_recorded_with_its_signals(nursery: Nursery, tmp_path: Path) -> None:
    report = python(nursery, tmp_path, LOOKS_AT_ONCE, "20")
    root, shell, sleep = report.processes
    assert [process.index for process in report.processes] == [1, 2, 3]
    assert (root.depth, shell.depth, sleep.depth) == (0, 1, 2)
    assert (shell.parent_index, sleep.parent_index) == (1, 2)
    assert sleep.argv == "sleep 300"
    assert shell.argv.startswith("bash -c sleep 300")
    assert shell.pgid == sleep.pgid == shell.pid
    (name, _, by) = next(entry for entry in sleep.signals if entry[0] == "SIGTERM")
    assert (name, by, sleep.exit_status) == ("SIGTERM", root.pid, -signal.SIGTERM)
    assert sleep.spawned_at_ms is not None
    assert sleep.exec_at_ms is not None
    assert sleep.ended_at_ms is not None
    assert 0 <= sleep.spawned_at_ms <= sleep.exec_at_ms <= sleep.ended_at_ms
    assert (report.clean, report.survivors) == (True, ())


THREADS = """
import threading
threads = [threading.Thread(target=int) for _ in range(50)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""
VFORK = """
import os
child = os.posix_spawn("/bin/true", ["true"], {})
assert os.waitpid(child, 0)[1] == 0
"""
EXEC_BY_THREAD = """
import os, threading, time
threading.Thread(target=os.execv, args=("/bin/true", ["true"])).start()
time.sleep(100)
"""
GROUP_STOP = """
import os, signal
child = os.fork()
if not child: signal.pause()
os.kill(child, signal.SIGSTOP)
assert os.WIFSTOPPED(os.waitpid(child, os.WUNTRACED)[1])
os.kill(child, signal.SIGCONT)
assert os.WIFCONTINUED(os.waitpid(child, os.WCONTINUED)[1])
os.kill(child, 9)
assert os.waitpid(child, 0)[1] == 9
"""
MANY = """
import os
for _ in range(500):
    if not os.fork(): os._exit(0)
for _ in range(500): os.wait()
"""
HANDLER = """
import os, signal
signal.signal(signal.SIGUSR1, lambda *_: os._exit(0))
os.kill(os.getpid(), signal.SIGUSR1)
os._exit(1)
"""


CLONE3 = """
import ctypes, os, signal
class Arguments(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in
                "flags pidfd child_tid parent_tid exit_signal stack stack_size tls".split()]
arguments = Arguments(exit_signal=signal.SIGCHLD)
pid = ctypes.CDLL(None).syscall(435, ctypes.byref(arguments), ctypes.sizeof(arguments))
if pid == 0: os._exit(7)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
"""
GROUP_EXIT = """
import os, threading, time
for _ in range(20): threading.Thread(target=time.sleep, args=(100,), daemon=True).start()
os._exit(0)
"""
ENDED_LEADER = """
import ctypes, os, threading, time
threading.Thread(target=lambda: (time.sleep(0.05), os._exit(0))).start()
ctypes.CDLL(None).pthread_exit(None)
"""
OTHER_USER = """
import os
if os.getuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
assert os.waitstatus_to_exitcode(os.system("exit 3")) == 3
"""
STOPPED_BY_TERMINAL_SIGNALS = """
import os, signal, subprocess
child = subprocess.Popen(["bash", "-c", "kill -TSTP $$; kill -TTIN $$; exit 5"], start_new_session=False)
for _ in range(2):
    assert os.WIFSTOPPED(os.waitpid(child.pid, os.WUNTRACED)[1])
    os.kill(child.pid, signal.SIGCONT)
assert child.wait() == 5
"""


@pytest.mark.parametrize(
    ("code", "processes"),
    [
        (THREADS, 1),
        (VFORK, 2),
        (EXEC_BY_THREAD, 1),
        (GROUP_STOP, 2),
        (MANY, 501),
        (HANDLER, 1),
        (CLONE3, 2),
        (GROUP_EXIT, 1),
        (ENDED_LEADER, 1),
        (OTHER_USER, 2),
        (STOPPED_BY_TERMINAL_SIGNALS, 2),
    ],
    ids=[
        "threads",
        "vfork",
        "exec-by-thread",
        "group-stop",
        "500-processes",
        "handler",
        "clone3",
        "group-exit",
        "ended-leader",
        "other-user",
        "terminal-stops",
    ],
)
def test_what_tracers_get_wrong_runs_as_without_one(
    nursery: Nursery, tmp_path: Path, code: str, processes: int
) -> None:
    report = python(nursery, tmp_path, code)
    assert report.status == 0, (tmp_path / "out").read_text()
    assert len(report.processes) == processes
    assert (report.clean, report.errors) == (True, ())


NODE = """
const { spawn, spawnSync } = require("node:child_process");
if (spawnSync("true").status !== 0) process.exit(8);
const child = spawn("bash", ["-c", "sleep 300 & wait"], { detached: true, stdio: "ignore" });
child.on("exit", (_code, signal) => process.exit(signal === "SIGTERM" ? 0 : 9));
setTimeout(() => process.kill(-child.pid, "SIGTERM"), 50);
"""
JAVA = """
public class Starts {
    public static void main(String[] words) throws Exception {
        Process child = new ProcessBuilder("sleep", "300").start();
        child.destroy();
        System.exit(child.waitFor() == 143 && new ProcessBuilder("true").start().waitFor() == 0 ? 0 : 9);
    }
}
"""
GO = """
package main

import ("os"; "os/exec"; "syscall")

func main() {
	child := exec.Command("sleep", "300")
	if child.Start() != nil { os.Exit(8) }
	child.Process.Signal(syscall.SIGTERM)
	child.Wait()
	if child.ProcessState.Sys().(syscall.WaitStatus).Signal() != syscall.SIGTERM { os.Exit(9) }
}
"""


@pytest.mark.needs("node")
def test_node_starts_and_ends_its_children(nursery: Nursery, tmp_path: Path) -> None:
    report = trace(nursery, tmp_path, "node", "-e", NODE)
    assert (report.status, report.clean) == (0, True), (tmp_path / "out").read_text()
    assert {process.argv.split()[0] for process in report.processes} >= {"node", "true", "bash"}


@pytest.mark.needs("java")
def test_java_starts_and_ends_its_children(nursery: Nursery, tmp_path: Path) -> None:
    (tmp_path / "Starts.java").write_text(JAVA)
    report = trace(nursery, tmp_path, "java", "-Xshare:auto", "-XX:TieredStopAtLevel=1", "Starts.java")
    assert (report.status, report.clean) == (0, True), (tmp_path / "out").read_text()
    assert {"sleep 300", "true"} <= {process.argv for process in report.processes}


@pytest.mark.slow
@pytest.mark.needs("go")
def test_go_starts_and_ends_its_children(nursery: Nursery, tmp_path: Path) -> None:
    (tmp_path / "starts.go").write_text(GO)
    environment = os.environ | {"GO111MODULE": "off", "GOFLAGS": "", "CGO_ENABLED": "0"}
    subprocess.run(["go", "build", "-o", "starts", "starts.go"], cwd=tmp_path, env=environment, check=True)
    report = trace(nursery, tmp_path, "./starts")
    assert (report.status, report.clean) == (0, True), (tmp_path / "out").read_text()
    assert [process.argv for process in report.processes] == ["./starts", "sleep 300"]


@pytest.mark.needs("strace")
def test_a_tracer_in_the_trial_cannot_trace_and_that_is_said(nursery: Nursery, tmp_path: Path) -> None:
    report = trace(nursery, tmp_path, "strace", "-o", "/dev/null", "true")
    assert report.status != 0
    assert any("strace cannot trace here" in error for error in report.errors)
    assert trace(nursery, tmp_path, "strace", "-o", "/dev/null", "true", stress="none").status == 0


UNPRIVILEGED = """
import os, sys
from flakehunter.repro.linux.nurseries import ForkNursery, start_nursery
from flakehunter.repro.stressors import parse_stress
from flakehunter.repro.trial import TrialSpec
spec = TrialSpec((sys.argv[1],), "/", dict(os.environ), "/dev/null", 60.0)
with start_nursery() as nursery:
    print(*nursery.run(parse_stress("control").apply(spec)).errors)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="gives its privilege away")
def test_a_set_user_id_program_below_a_tracer_without_privilege_is_told(tmp_path: Path) -> None:
    program = tmp_path / "other-user"
    shutil.copy("/bin/true", program)
    program.chmod(0o4755)
    # Another user that may still read: the interpreter and this folder may be closed to it.
    caps = [f"--{kind}-caps=+dac_read_search" for kind in ("inh", "ambient")]
    user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *caps]
    command = [*user, sys.executable, "-c", UNPRIVILEGED, program]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert "other-user is set-user-ID" in done.stdout, done.stderr


def test_survivors_and_stopped_ones_are_ended(nursery: Nursery, tmp_path: Path) -> None:
    line = f"sleep 300 & {UNTIL_NAMED_SLEEP}; kill -STOP $!; setsid sleep 301 & {UNTIL_NAMED_SLEEP}; exit 4"
    report = trace(nursery, tmp_path, "bash", "-c", line)
    assert (report.status, report.clean) == (4, True)
    assert sorted(process.argv for process in report.survivors) == ["sleep 300", "sleep 301"]


def test_a_time_limit_ends_a_held_trial(nursery: Nursery, tmp_path: Path) -> None:
    report = trace(nursery, tmp_path, "bash", "-c", "sleep 0 & wait", stress="delay:exit:60s@2", limit_s=0.5)
    assert (report.hung, report.clean) == (True, True)


def test_all_of_a_trial_dies_with_its_tracer(nursery: Nursery, tmp_path: Path) -> None:
    line = "setsid sleep 300 & echo $! >pid; kill -9 $PPID; wait"
    with pytest.raises(TrialError, match="supervisor died"):
        trace(nursery, tmp_path, "bash", "-c", line)
    pid = int((tmp_path / "pid").read_text())
    deadline = time.monotonic() + 60
    while (stat := read_stat(pid)) is not None and not stat.is_dead and time.monotonic() < deadline:
        time.sleep(0.005)
    assert stat is None or stat.is_dead
