"""Start and stop nurseries: the process that forks the supervisors of one arm, warm where pytest allows it."""

import sys

assert sys.platform == "linux"

import os
import select
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from flakehunter.repro.linux.pending import SocketTrial
from flakehunter.repro.pytest_word import pytest_word
from flakehunter.repro.trial import PACKAGE_ROOT, TrialError, TrialReport, TrialSpec, output_tail

WARM_FOLDER = Path(__file__).parent / "warm"
START_LIMIT_S = 60.0
STOP_LIMIT_S = 15.0


class ForkNursery:
    """A started nursery; as a context manager it is stopped at the end, with everything below it."""

    def __init__(self, process: subprocess.Popen[bytes], control: socket.socket, *, warm: bool) -> None:
        self._process = process
        self._control = control
        self.warm = warm

    def run(self, spec: TrialSpec) -> TrialReport:
        """Run one trial.

        Raises:
            TrialError: the nursery or the trial's supervisor died, or could not do its work.
        """
        return self.start(spec).finish()

    def start(self, spec: TrialSpec) -> SocketTrial:
        """Start a trial, which others may run beside.

        Raises:
            TrialError: the nursery is dead.
        """
        return SocketTrial(self._control, spec)

    @property
    def pid(self) -> int:
        """Return its process id; what its trials leave is below it."""
        return self._process.pid

    @property
    def cpu_s(self) -> float:
        """Return the CPU time that it and all the trials that have ended used up; 0 when it is gone."""
        try:
            text = Path(f"/proc/{self._process.pid}/stat").read_text(encoding="utf-8")
        except OSError:
            return 0.0
        return sum(int(word) for word in text.rpartition(")")[2].split()[11:15]) / os.sysconf("SC_CLK_TCK")

    def preload(self, modules: Path) -> None:
        """Import the modules listed in the file `modules`, so that no trial pays for them again.

        Raises:
            TrialError: that started threads or processes, so forking is not safe any more.
        """
        self._control.sendall(b"P")
        self._control.sendall(os.fsencode(modules) + b"\n")
        _await_ready(self._process, self._control)

    def close(self) -> None:
        """Close the lifeline and wait until the nursery and its supervisors are gone."""
        self._control.close()
        try:
            self._process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def start_nursery(variables: Mapping[str, str] | None = None) -> ForkNursery:
    """Start a nursery for any command, with `variables` in its own environment.

    Raises:
        TrialError: it did not come up.
    """
    environment = os.environ | {"PYTHONPATH": str(PACKAGE_ROOT)} | dict(variables or {})
    words = [sys.executable, "-P", "-S", "-m", "flakehunter.repro.linux.nursery"]
    return _start(words, environment, Path("/"), warm=False)


def start_warm_nursery(argv: Sequence[str], env: Mapping[str, str], cwd: Path) -> ForkNursery:
    """Start the pytest of `argv` and stop it before it configures its session; each trial is a fork of it.

    Raises:
        TrialError: the command is no pytest, or it cannot be forked safely; the message says why.
    """
    place = pytest_word(argv)
    if place is None:
        raise TrialError("not a pytest command")
    words = [*argv[: place + 1], "-p", "flakehunter_warm_pytest", *argv[place + 1 :]]
    before = env.get("PYTHONPATH", "")
    environment = dict(env) | {
        "FLAKEHUNTER_WARM_ROOT": str(PACKAGE_ROOT),
        "FLAKEHUNTER_WARM_PYTHONPATH": before,
        "PYTHONPATH": os.pathsep.join([str(WARM_FOLDER), *([before] if before else [])]),
    }
    return _start(words, environment, cwd, warm=True)


def _start(argv: Sequence[str], env: Mapping[str, str], cwd: Path, *, warm: bool) -> ForkNursery:
    ours, theirs = socket.socketpair()
    words, environment = list(argv), dict(env)
    if warm:
        environment["FLAKEHUNTER_WARM_FD"] = str(theirs.fileno())
    else:
        words.append(str(theirs.fileno()))
    with theirs, tempfile.TemporaryFile() as output:
        try:
            process = subprocess.Popen(
                words,
                cwd=cwd,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # Ctrl-C is for the harness, which tells the others by closing the lifeline
                preexec_fn=_default_signals,  # noqa: PLW1509 - the harness has one thread
            )
        except OSError as error:
            ours.close()
            raise TrialError(f"cannot start {words[0]}: {error.strerror}") from error
        theirs.close()
        try:
            _await_ready(process, ours)
        except BaseException as error:
            ForkNursery(process, ours, warm=warm).close()
            if isinstance(error, TrialError):
                tail = output_tail(f"/proc/self/fd/{output.fileno()}", lines=8)
                raise TrialError(error.message + (f":\n{tail}" if tail else "")) from error
            raise
    return ForkNursery(process, ours, warm=warm)


def _default_signals() -> None:
    # A shell starts background jobs with SIGINT and SIGQUIT ignored; no trial may inherit that.
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def _await_ready(process: subprocess.Popen[bytes], control: socket.socket) -> None:
    deadline = time.monotonic() + START_LIMIT_S
    said = b""
    while not said.endswith(b"\n"):
        left = deadline - time.monotonic()
        if left <= 0:
            process.kill()
            raise TrialError(f"the process that forks the trials was not ready after {START_LIMIT_S:.0f} s")
        if select.select([control], [], [], left)[0]:
            part = control.recv(4096)
            if not part:
                raise TrialError("the process that forks the trials ended while it started")
            said += part
    if said != b"ready\n":
        raise TrialError(said.decode("utf-8", "replace").removeprefix("unsafe: ").strip())
