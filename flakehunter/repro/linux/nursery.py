"""The nursery: a process that is started once and forks one supervisor per trial, so that start-up is paid once.

As `python -m flakehunter.repro.linux.nursery FD` it serves any command; warm/flakehunter_warm_pytest.py serves from
inside a pytest that is ready to collect. Standard library and groupkill only.

Protocol on the socket FD: the nursery writes `ready`, or `unsafe: REASON` and ends; each a line. Then a byte `T` with a
socket attached (SCM_RIGHTS) asks for a trial, whose supervisor reads the spec from that socket; `P` and a line with a
path asks to import the modules listed in that file, and is answered like the start. End of file ends the nursery once
its last supervisor is done.
"""

import sys

assert sys.platform == "linux"

import gc
import importlib
import os
import select
import signal
import socket
from typing import Any

from flakehunter.groupkill.linux.procfs import children, descendants
from flakehunter.groupkill.linux.sweep import become_subreaper
from flakehunter.repro.linux.supervisor import begin_trial, exec_command

__all__ = ["serve", "why_unsafe"]


def why_unsafe() -> str:
    """Return why this process must not be forked to run a trial in; empty when it may be."""
    if len(os.listdir("/proc/self/task")) > 1:  # noqa: PTH208
        return "a plugin, a conftest.py or a library started a thread"
    return "a plugin, a conftest.py or a library started a process" if children(os.getpid()) else ""


class _Nursery:
    def __init__(self, control: socket.socket) -> None:
        self.control = control
        self.supervisors: set[int] = set()
        self.waking, writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        self.waker = writer

    def wait_for_trial(self) -> socket.socket | None:
        """Return the control socket of the next trial, or None when there will be no more."""
        poll = select.poll()
        poll.register(self.waking, select.POLLIN)
        poll.register(self.control, select.POLLIN)
        while True:
            ready = {descriptor for descriptor, _ in poll.poll()}
            if self.waking in ready:
                os.read(self.waking, 4096)
                self.reap(os.WNOHANG)
            if self.control.fileno() in ready:
                message, descriptors, _, _ = socket.recv_fds(self.control, 1, 1)
                if message == b"T":
                    return socket.socket(fileno=descriptors[0])
                if not message:
                    return None
                self.preload()

    def preload(self) -> None:
        """Import what an earlier trial imported of libraries, so that the next ones find it done."""
        path = b""
        while not path.endswith(b"\n"):
            path += self.control.recv(1)
        with open(path[:-1], encoding="utf-8") as file:  # noqa: PTH123
            names = file.read().split()
        for name in names:
            try:
                importlib.import_module(name)
            except Exception:  # noqa: S112 - a module that only the test may import is left to the test
                continue
        self.reap(os.WNOHANG)
        why = why_unsafe()
        self.control.sendall(f"unsafe: {why}\n".encode() if why else b"ready\n")

    def reap(self, flags: int) -> None:
        """Reap supervisors and strays; what a killed supervisor left came to this subreaper and is ended here."""
        while True:
            try:
                pid, status = os.waitpid(-1, flags)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid in self.supervisors:
                self.supervisors.discard(pid)
                if status != 0:
                    self.end_strays()

    def end_strays(self) -> None:
        """Kill every child that is no supervisor, with all below it, until none is found."""
        while strays := [pid for pid in children(os.getpid()) if pid not in self.supervisors]:
            for pid in [*strays, *(stat.pid for stray in strays for stat in descendants(stray))]:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            for pid in strays:
                os.waitpid(pid, 0)

    def leave(self) -> None:
        """In a forked child: drop what belongs to the nursery."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for descriptor in (self.waking, self.waker):
            os.close(descriptor)
        self.control.close()


def serve(control: socket.socket) -> dict[str, Any]:
    """Fork a supervisor for each trial that is asked for; returns, in a trial's root process only, its spec.

    The nursery itself never returns from here: it exits when the harness is gone and its supervisors are done.
    """
    become_subreaper()
    importlib.import_module("flakehunter.repro.linux.tracer")  # here once, or else in every traced trial
    nursery = _Nursery(control)
    control.sendall(b"ready\n")
    while (trial := nursery.wait_for_trial()) is not None:
        gc.freeze()  # else the first collection in the child copies every page it looks at
        pid = os.fork()
        if pid == 0:
            nursery.leave()
            return begin_trial(trial)
        nursery.supervisors.add(pid)
        trial.close()
    nursery.reap(0)
    os._exit(0)


def main() -> None:
    """Serve trials of any command."""
    exec_command(serve(socket.socket(fileno=int(sys.argv[1]))))


if __name__ == "__main__":
    main()
