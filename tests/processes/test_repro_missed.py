"""What a tracer does not see: who SIGKILL took from a stop, and who takes signals by itself."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from flakehunter.model import TrialOutcome
from flakehunter.repro.bench import MISSED_TRIALS, run_trials, trial_spec
from flakehunter.repro.command import plain_command
from flakehunter.repro.linux.nurseries import start_nursery
from flakehunter.repro.trial import TrialReport, TrialSpec

BLOCKED = """
import json, os, signal, socket, sys
from flakehunter.groupkill.linux.sweep import become_subreaper
from flakehunter.repro.linux import ptrace
become_subreaper()
reader, writer = os.pipe()
pid = os.fork()
if pid == 0:
    os.setpgid(0, 0)
    os.read(reader, 1)
    os._exit(0)

def await_stop(event):
    while True:
        found = os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOWAIT | ptrace.WALL)
        if found.si_status >> 8 == event: return
"""
KILLED_IN_A_STOP = (
    BLOCKED
    + """
ptrace.seize(pid)
os.kill(pid, signal.SIGUSR1)
_, status = os.waitpid(pid, ptrace.WALL)  # it stops before the signal is delivered
os.kill(pid, signal.SIGKILL)
await_stop(ptrace.EVENT_EXIT)
ptrace.go_on(pid, signal.SIGUSR1)  # meant for the stop before
_, status = os.waitpid(pid, ptrace.WALL)
print(json.dumps(ptrace.take_apart(status).event == ptrace.EVENT_EXIT))
ptrace.go_on(pid)
os.waitpid(pid, ptrace.WALL)
"""
)
LET_GO_UNSEEN = (
    BLOCKED
    + """
from flakehunter.repro.linux.supervisor import WAKING
from flakehunter.repro.linux.tracer import Tracer
signal.pthread_sigmask(signal.SIG_BLOCK, WAKING)
delays = [{"event": sys.argv[1], "ms": 20000.0, "who": 1}]
spec = {"delays": delays, "argv": ["x"], "time_limit_s": 60.0, "demote": False, "window_from": 0, "has_window": False}
control, lifeline = socket.socketpair()
window, _command = socket.socketpair()
for stream in (control, window): stream.setblocking(False)
tracer = Tracer(control, window, spec, pid, ())
os.kill(pid, signal.SIGKILL)
await_stop(ptrace.EVENT_EXIT)
ptrace._call(ptrace.PTRACE_CONT, pid, 0)  # what a request does that was on its way when SIGKILL came
tracer.watch()
report = tracer.finish()
print(json.dumps([report["delay_missed"], [name for name, _, _ in report["processes"][0]["signals"]]]))
"""
)


def python(code: str, *words: str) -> object:
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_what_sigkill_takes_from_a_stop_is_not_let_go_unseen() -> None:
    assert python(KILLED_IN_A_STOP) is True


@pytest.mark.parametrize(("event", "missed"), [("exit", True), ("report", True), ("start", False)])
def test_an_end_that_could_not_be_held_is_told(event: str, missed: bool) -> None:
    assert python(LET_GO_UNSEEN, event) == [missed, ["SIGKILL"]]


SERVICE = """
import signal, subprocess, sys
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
print("ready", flush=True)
signal.sigwait({signal.SIGTERM})
"""
ENDS_A_SERVICE = """
import subprocess, sys
for code in sys.argv[1:]:
    child = subprocess.Popen([sys.executable, "-S", "-c", code], stdin=-1, stdout=-1)
    child.stdout.readline()
    child.terminate()
    child.communicate()
"""


def test_who_blocks_the_signals_that_end_it_takes_them_itself(tmp_path: Path) -> None:
    command = [sys.executable, "-S", "-c", ENDS_A_SERVICE, SERVICE, "print(1, flush=True); input()"]
    spec = TrialSpec(tuple(command), str(tmp_path), dict(os.environ), str(tmp_path / "out"), 60.0, trace=True)
    with start_nursery() as nursery:
        test, service, plain = nursery.run(spec).processes
    assert (service.exit_status, service.signals, service.takes_signals) == (0, (), True)
    assert (plain.exit_status, [name for name, _, _ in plain.signals], plain.takes_signals) == (-15, ["SIGTERM"], False)
    assert not test.takes_signals


class Pending:
    def __init__(self, report: TrialReport) -> None:
        self.report = report

    def finish(self) -> TrialReport:
        return self.report

    def close(self) -> None:
        pass


class Nursery:
    """Gives these reports, one for each trial."""

    warm = False
    cpu_s = 0.0

    def __init__(self, reports: Iterator[TrialReport]) -> None:
        self.reports = reports

    def start(self, spec: TrialSpec) -> Pending:
        return Pending(next(self.reports))

    def run(self, spec: TrialSpec) -> TrialReport:
        return self.start(spec).finish()

    def preload(self, modules: Path) -> None:
        pass

    def close(self) -> None:
        pass

    def __enter__(self) -> "Nursery":
        return self

    def __exit__(self, *_error: object) -> None:
        pass


def report(status: int, *, missed: bool) -> TrialReport:
    return TrialReport(status, hung=False, duration_s=0.1, processes=(), clean=True, delay_missed=missed)


@pytest.mark.parametrize(
    ("misses", "outcome"), [(MISSED_TRIALS, TrialOutcome.FAILED), (MISSED_TRIALS + 1, TrialOutcome.ERRORED)]
)
def test_a_trial_that_missed_its_delay_is_run_again(tmp_path: Path, misses: int, outcome: TrialOutcome) -> None:
    reports = [*(report(0, missed=True) for _ in range(misses)), report(1, missed=False)]
    command = plain_command(["false"], tmp_path)
    spec = trial_spec(command, tmp_path / "0", 60.0, warm=False)
    (finished,) = run_trials(Nursery(iter(reports)), command, [spec])
    assert finished.judgement.outcome is outcome
