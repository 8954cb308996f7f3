"""Backends `subreaper` and `pid-namespace`: each group has a small supervisor of its own, which nobody below can leave.

The supervisor is never the caller's own process: a test runner that became a subreaper would collect, and have to tell
apart, the orphans of all its tests.
"""

import sys

assert sys.platform == "linux"

import json
import os
import select
import signal
import socket
import threading
import time
from pathlib import Path
from typing import Any

from flakehunter.groupkill.backend import DEFAULT_DEADLINE_S, DEFAULT_GRACE_S, ProcessGroup
from flakehunter.groupkill.base import Backend
from flakehunter.groupkill.command import Command
from flakehunter.groupkill.linux.group import close_quietly
from flakehunter.groupkill.records import ProcessStat, SweptProcess
from flakehunter.groupkill.report import Escalation, KillReport, Member, deadline_passed
from flakehunter.groupkill.start import PythonPopen, interpreter, not_started, open_child, with_terminal

__all__ = ["PidNamespaceBackend", "SubreaperBackend", "SupervisedGroup"]

SUPERVISOR = str(Path(__file__).with_name("supervisor.py"))
PACKAGE_ROOT = str(Path(__file__).parents[3])
ANSWER_SLACK_S = 10.0
WAIT_SLICE_S = 0.2
NOBODY = ProcessStat(0, "X", 0, 0, 0, 0, 0, "")


class SupervisedGroup(ProcessGroup):
    """A group below a supervisor process; requests and answers go over a socket."""

    def __init__(
        self,
        backend: str,
        command: Command,
        supervisor: PythonPopen,
        control: socket.socket,
        pty: int | None,
    ) -> None:
        self.backend = backend
        self.argv = command.argv
        self._command = command
        self.pty = pty
        self.stdin, self.stdout, self.stderr = supervisor.stdin, supervisor.stdout, supervisor.stderr
        self._supervisor = supervisor
        self._control = control
        self._received = b""
        self._leader = NOBODY
        self._returncode: int | None = None
        self._report: KillReport | None = None
        self._closed = False
        self._lock = threading.RLock()  # answers belong to the thread that asked

    # --- the conversation --------------------------------------------------------------------------------------

    def _next(self, timeout_s: float | None) -> dict[str, Any] | None:
        """Return the next line of the supervisor, or None when the time is over.

        Raises:
            ConnectionError: the supervisor is gone.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        while b"\n" not in self._received:
            left = None if deadline is None else max(0.0, deadline - time.monotonic()) * 1000
            if not poll.poll(left):
                return None
            data = self._control.recv(1 << 20)
            if not data:
                raise ConnectionResetError(f"the supervisor of {self.argv[0]!r} (pid {self._supervisor.pid}) is gone")
            self._received += data
        line, _, self._received = self._received.partition(b"\n")
        message: dict[str, Any] = json.loads(line)
        if "exited" in message:
            self._returncode = message["exited"]
        return message

    def begin(self) -> None:
        """Wait until the command runs.

        Raises:
            StartError: it does not.
        """
        try:
            message = self._next(ANSWER_SLACK_S) or {"failed": 0, "stage": "supervisor no answer"}
        except ConnectionError as error:
            message = {"failed": 0, "stage": f"supervisor {error}"}
        if "failed" in message:
            if not message["failed"]:
                self._supervisor.kill()
            self._close_all()
            raise not_started(self._command, message["failed"], message["stage"])
        self._leader = ProcessStat(*message["started"])

    def _ask(self, request: dict[str, Any], timeout_s: float) -> dict[str, Any]:
        """Send a request and return its answer.

        Raises:
            ConnectionError: the supervisor is gone, or does not answer in time.
        """
        with self._lock:
            return self._ask_alone(request, timeout_s)

    def _ask_alone(self, request: dict[str, Any], timeout_s: float) -> dict[str, Any]:
        self._control.sendall(json.dumps(request).encode() + b"\n")
        deadline = time.monotonic() + timeout_s
        while True:
            message = self._next(max(0.0, deadline - time.monotonic()))
            if message is None:
                raise ConnectionAbortedError(f"the supervisor of {self.argv[0]!r} gave no answer in {timeout_s:g} s")
            if "members" in message:
                return message

    # --- ProcessGroup ------------------------------------------------------------------------------------------

    @property
    def pid(self) -> int:
        """Return the pid of the leader."""
        return self._leader.pid

    @property
    def returncode(self) -> int | None:
        """Return the leader's exit code, or None while it runs."""
        with self._lock:
            while self._returncode is None and not self._closed:
                try:
                    if self._next(0) is None:
                        break
                except ConnectionError:
                    self._returncode = -signal.SIGKILL  # somebody killed the supervisor: its end is not to be known
        return self._returncode

    def wait(self, timeout_s: float | None = None) -> int:
        """Wait for the leader only."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while self._returncode is None:
            left = WAIT_SLICE_S if deadline is None else max(0.0, deadline - time.monotonic())
            # In slices, so that another thread can end the group meanwhile.
            with self._lock:
                got = self._returncode is not None or self._next(min(left, WAIT_SLICE_S)) is not None
            if not got and deadline is not None and time.monotonic() >= deadline:
                raise TimeoutError(f"pid {self.pid} ({self.argv[0]}) still runs after {timeout_s:g} s")
        return self._returncode

    def members(self) -> tuple[Member, ...]:
        """Return the members that run now."""
        if self._closed:
            return ()
        answer = self._ask({"do": "members"}, ANSWER_SLACK_S)
        return tuple(member for member in self._members(answer) if member.is_alive)

    def send_signal(self, signal_number: int, *, leader_only: bool = False) -> None:
        """Send a signal to all members, or to the leader only."""
        if not self._closed:
            request = {"do": "signal", "signal": int(signal_number), "leader_only": leader_only}
            self._ask(request, ANSWER_SLACK_S)

    def terminate(
        self,
        signal_number: int = signal.SIGTERM,
        *,
        grace_s: float = DEFAULT_GRACE_S,
        deadline_s: float = DEFAULT_DEADLINE_S,
    ) -> KillReport:
        """End the group; see ProcessGroup.terminate."""
        if self._closed and self._report is not None:
            return self._report
        request = {"do": "terminate", "signal": int(signal_number), "grace_s": grace_s, "deadline_s": deadline_s}
        answer = self._ask(request, deadline_s + ANSWER_SLACK_S)
        return self._keep(answer)

    def wait_gone(self, deadline_s: float) -> bool:
        """Wait without signalling until no member runs."""
        deadline = time.monotonic() + deadline_s
        while not self._closed:
            left = max(0.0, deadline - time.monotonic())
            # In slices: while the supervisor waits it would not notice that its owner has died.
            answer = self._ask({"do": "wait", "deadline_s": min(left, WAIT_SLICE_S)}, ANSWER_SLACK_S)
            if answer["clean"]:
                break
            if time.monotonic() >= deadline:
                return not any(member.is_alive for member in self._members(answer))
        return True

    def close(self) -> KillReport | None:
        """Kill what is left and give back all descriptors."""
        if not self._closed:
            if self._report is None or not self._report.clean:
                self.terminate(signal.SIGKILL)
            self._close_all()
        return self._report

    def _close_all(self) -> None:
        self._control.close()  # the supervisor reads the end and kills whatever it still has
        self._supervisor.wait()
        self._closed = True
        for stream in (self.stdin, self.stdout, self.stderr):
            if stream is not None:
                close_quietly(stream)
        if self.pty is not None:
            os.close(self.pty)
            self.pty = None

    # --- reporting ---------------------------------------------------------------------------------------------

    def _members(self, answer: dict[str, Any]) -> tuple[Member, ...]:
        return tuple(
            Member.of(
                SweptProcess(
                    **{
                        **fields,
                        "argv": tuple(fields["argv"]),
                        "signals": tuple((name, ms) for name, ms in fields["signals"]),
                    }
                ),
                self._leader,
            )
            for fields in answer["members"]
        )

    def _keep(self, answer: dict[str, Any]) -> KillReport:
        errors = list(answer["errors"])
        if not answer["clean"]:
            errors.append(deadline_passed(answer["elapsed_ms"]))
        self._report = KillReport(
            backend=self.backend,
            argv=self.argv,
            members=self._members(answer),
            escalations=tuple(Escalation(*escalation) for escalation in answer["escalations"]),
            errors=tuple(errors),
            notes=tuple(answer["notes"]),
            elapsed_ms=answer["elapsed_ms"],
            timed_out=not answer["clean"],
            verified_by="waitid of the group's subreaper: ECHILD, the kernel has no descendant left",
            pid_table_clean=answer["clean"],
        )
        return self._report


class SubreaperBackend(Backend):
    """PR_SET_CHILD_SUBREAPER in a supervisor: it reaps all orphans until the kernel says that none is left."""

    name = "subreaper"
    can_escape = False
    sees_all_members = True
    works = "a dry run ended its processes; the supervisor reaps them too"
    options: tuple[str, ...] = ("--new=group",)

    def start(self, command: Command) -> ProcessGroup:
        """Start a supervisor, which starts the command."""
        options = with_terminal(self.options, command)
        ours, theirs = socket.socketpair()
        line = [*interpreter(), SUPERVISOR, PACKAGE_ROOT, str(theirs.fileno()), *options, "--", *command.argv]
        try:
            supervisor, master = open_child(command, line, pass_fds=(theirs.fileno(),))
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        group = SupervisedGroup(self.name, command, supervisor, ours, master)
        group.begin()
        return group


class PidNamespaceBackend(SubreaperBackend):
    """A pid namespace, which the kernel kills with its first process; on request: getpid() and /proc differ in it."""

    name = "pid-namespace"
    options = ("--pid-namespace", "--new=group")
    works = "a dry run ended its processes; on request only: getpid() and /proc differ inside"
