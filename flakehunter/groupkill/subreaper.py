"""Backends `subreaper` and `pid-namespace`: each group has a small supervisor of its own, which nobody below can leave.

The supervisor is never the caller's own process: a test runner that became a subreaper would collect, and have to tell
apart, the orphans of all its tests.
"""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from flakehunter.groupkill.arguments import check_argv
from flakehunter.groupkill.backend import DEFAULT_DEADLINE_S, DEFAULT_GRACE_S, ProcessGroup, StartError, Stream
from flakehunter.groupkill.linux_backend import SpawnsGroups, dry_run
from flakehunter.groupkill.linux_group import close_quietly
from flakehunter.groupkill.report import Capability, Escalation, KillReport, Member
from flakehunter.groupkill.start import HINTS, PythonPopen, interpreter

__all__ = ["PidNamespaceBackend", "SubreaperBackend", "SupervisedGroup"]

SUPERVISOR = str(Path(__file__).with_name("supervisor.py"))
PACKAGE_ROOT = str(Path(__file__).parents[2])
ANSWER_SLACK_S = 10.0
WAIT_SLICE_S = 0.2


class SupervisedGroup(ProcessGroup):
    """A group below a supervisor process; requests and answers go over a socket."""

    def __init__(
        self,
        backend: str,
        argv: tuple[str, ...],
        supervisor: PythonPopen,
        control: socket.socket,
        pty: int | None,
    ) -> None:
        self.backend = backend
        self.argv = argv
        self.pty = pty
        self.stdin, self.stdout, self.stderr = supervisor.stdin, supervisor.stdout, supervisor.stderr
        self._supervisor = supervisor
        self._control = control
        self._received = b""
        self._leader = 0
        self._leader_ticks = 0
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
            message = self._next(ANSWER_SLACK_S) or {"failed": 0, "stage": "no answer from the supervisor"}
        except ConnectionError as error:
            message = {"failed": 0, "stage": str(error)}
        if "failed" in message:
            self._supervisor.kill() if not message["failed"] else None
            self._close_all()
            number, stage = message["failed"], message["stage"].partition(" ")
            if stage[0] == "exec":
                text, hint = f"cannot run {self.argv[0]!r}: {stage[2]}", HINTS.get(number)
            else:
                text, hint = f"cannot set up the group of {self.argv[0]!r} ({' '.join(stage).strip()})", None
            raise StartError(text, argv=self.argv, errno=number, hint=hint)
        self._leader, self._leader_ticks = message["started"], message["start_ticks"]

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
        return self._leader

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

    def _members(self, answer: dict[str, Any]) -> list[Member]:
        return [self._member(fields) for fields in answer["members"]]

    def _member(self, fields: dict[str, Any]) -> Member:
        signals = tuple((name, ms) for name, ms in fields.pop("signals"))
        escaped = ""
        if fields["pgid"] != self._leader:
            own = fields["sid"] == fields["pid"]
            escaped = "setsid" if own else "setsid and double fork"
            if fields["sid"] == self._leader:
                escaped = "setpgid"
        return Member(**{**fields, "argv": tuple(fields["argv"])}, signals=signals, escaped=escaped)

    def _keep(self, answer: dict[str, Any]) -> KillReport:
        members = tuple(self._members(answer))
        errors = list(answer["errors"])
        if not answer["clean"]:
            errors.append(f"deadline passed after {answer['elapsed_ms']:.0f} ms with members left")
        self._report = KillReport(
            backend=self.backend,
            argv=self.argv,
            members=members,
            escalations=tuple(Escalation(*escalation) for escalation in answer["escalations"]),
            errors=tuple(errors),
            notes=(),
            elapsed_ms=answer["elapsed_ms"],
            timed_out=not answer["clean"],
            verified_by="waitid of the group's subreaper: ECHILD, the kernel has no descendant left",
            pid_table_clean=answer["clean"],
        )
        return self._report


class SubreaperBackend(SpawnsGroups):
    """PR_SET_CHILD_SUBREAPER in a supervisor: it reaps all orphans until the kernel says that none is left."""

    name = "subreaper"
    can_escape = False
    options: tuple[str, ...] = ("--new=group",)
    works = "a dry run ended its processes; the supervisor reaps them too"

    def probe(self) -> Capability:
        """Say whether the backend works here, after a dry run."""
        reason = "" if sys.platform == "linux" else "Linux only"
        reason = reason or dry_run(self)
        return Capability(not reason, reason or self.works, False, self.can_escape, True)

    def spawn(
        self,
        argv: Sequence[str],
        *,
        stdin: Stream = None,
        stdout: Stream = None,
        stderr: Stream = None,
        cwd: str | PathLike[str] | None = None,
        env: Mapping[str, str] | None = None,
        pty: bool = False,
        text: bool = False,
    ) -> ProcessGroup:
        """Start a command in a group; see GroupKillBackend."""
        command = check_argv(argv)
        options = list(self.options)
        master = slave = None
        if pty:
            master, slave = os.openpty()
            stdin = stdout = stderr = slave
            options = [option for option in options if not option.startswith("--new")] + ["--new=session", "--ctty"]
        ours, theirs = socket.socketpair()
        try:
            supervisor: PythonPopen = subprocess.Popen(
                [*interpreter(), SUPERVISOR, PACKAGE_ROOT, str(theirs.fileno()), *options, "--", *command],
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                cwd=cwd,
                env=None if env is None else dict(env),
                pass_fds=(theirs.fileno(),),
                text=text,
            )
        except OSError as error:
            ours.close()
            if master is not None:
                os.close(master)
            where = f" in {os.fspath(cwd)}" if cwd else ""
            message = f"cannot start {command[0]!r}{where}: {error.strerror}"
            raise StartError(message, argv=command, errno=error.errno or 0) from error
        finally:
            theirs.close()
            if slave is not None:
                os.close(slave)
        group = SupervisedGroup(self.name, command, supervisor, ours, master)
        group.begin()
        return group


class PidNamespaceBackend(SubreaperBackend):
    """A pid namespace, which the kernel kills with its first process; on request: getpid() and /proc differ in it."""

    name = "pid-namespace"
    options = ("--pid-namespace", "--new=group")
    works = "a dry run ended its processes; on request only: getpid() and /proc differ inside"
