"""Backends `process-group` and `naive` on macOS: killpg, with kqueue to see members end.

Type-checked; no CI of ours runs it. What macOS has not: a subreaper, cgroups, pidfds, /proc. So a member that calls
setsid is lost, and the report can only say that it cannot know.
"""

import sys

assert sys.platform == "darwin"

import os
import select
import signal
import time

import psutil

from flakehunter.groupkill.backend import DEFAULT_DEADLINE_S, DEFAULT_GRACE_S, ProcessGroup
from flakehunter.groupkill.base import Backend
from flakehunter.groupkill.command import Command
from flakehunter.groupkill.report import Escalation, KillReport, Member, deadline_passed, signal_name
from flakehunter.groupkill.start import PythonPopen, start, with_terminal

__all__ = ["MacGroup", "NaiveBackend", "ProcessGroupBackend"]

LONGEST_PAUSE_S = 0.02
NOTE_EXITSTATUS = 0x04000000
"""With NOTE_EXIT: the event's data is the wait status (sys/event.h); os.waitid is not to be had before Python 3.13."""


class _Watched:
    """A member whose end kqueue tells of (EVFILT_PROC, NOTE_EXIT)."""

    def __init__(self, process: psutil.Process) -> None:
        self.pid = process.pid
        self.started = process.create_time()
        self.ppid = process.ppid()
        try:
            self.argv = tuple(process.cmdline())
        except psutil.Error:  # another user's, or a zombie
            self.argv = ()
        self.signals: list[tuple[str, float]] = []
        self.exit_ms: float | None = None
        self.status: int | None = None
        self.error = ""


class MacGroup(ProcessGroup):
    """A process group whose leader is our child and stays unreaped until the last killpg."""

    def __init__(
        self, backend: str, argv: tuple[str, ...], popen: PythonPopen, pty: int | None, *, whole_group: bool
    ) -> None:
        self.backend = backend
        self.argv = argv
        self.pty = pty
        self.stdin, self.stdout, self.stderr = popen.stdin, popen.stdout, popen.stderr
        self._popen = popen
        self._whole_group = whole_group
        self._queue = select.kqueue()
        self._watched: dict[tuple[int, float], _Watched] = {}
        self._begin = time.monotonic()
        self._returncode: int | None = None
        self._report: KillReport | None = None
        self._closed = False
        self._look()

    @property
    def pid(self) -> int:
        """Return the pid of the leader."""
        return self._popen.pid

    @property
    def returncode(self) -> int | None:
        """Return the leader's exit code, or None while it runs; leaves it unreaped."""
        if self._returncode is None and not self._closed:
            self._note_deaths(0)
        return self._returncode

    def wait(self, timeout_s: float | None = None) -> int:
        """Wait for the leader only."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        pause = 0.0005
        while (code := self.returncode) is None:
            if deadline is not None and time.monotonic() >= deadline:
                raise TimeoutError(f"pid {self.pid} ({self.argv[0]}) still runs after {timeout_s:g} s")
            time.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_S)
        return code

    # --- members -----------------------------------------------------------------------------------------------

    def _look(self) -> int:
        new = 0
        for process in psutil.process_iter():
            try:
                is_member = process.pid == self.pid or (self._whole_group and os.getpgid(process.pid) == self.pid)
                key = (process.pid, process.create_time())
                if not is_member or key in self._watched:
                    continue
                watched = self._watched[key] = _Watched(process)
            except (psutil.Error, ProcessLookupError, PermissionError):
                continue
            new += 1
            self._watch(watched)
        return new

    def _watch(self, watched: _Watched) -> None:
        event = select.kevent(
            watched.pid,
            filter=select.KQ_FILTER_PROC,
            flags=select.KQ_EV_ADD | select.KQ_EV_ONESHOT,
            fflags=select.KQ_NOTE_EXIT | NOTE_EXITSTATUS,
        )
        try:
            self._queue.control([event], 0, 0)
        except ProcessLookupError:  # dead already
            watched.exit_ms = self._ms()
            if watched.pid == self.pid:
                self._returncode = self._popen.wait()

    def _note_deaths(self, timeout_s: float) -> int:
        events = self._queue.control(None, 64, max(0.0, timeout_s))
        dead = {event.ident: event.data for event in events}
        if self.pid in dead:
            self._returncode = os.waitstatus_to_exitcode(dead[self.pid])
        for watched in self._living():
            if watched.pid in dead:
                watched.exit_ms = self._ms()
        return len(dead)

    def _living(self) -> list[_Watched]:
        return [watched for watched in self._watched.values() if watched.exit_ms is None]

    def members(self) -> tuple[Member, ...]:
        """Return the members that run now."""
        if self._closed:
            return ()
        self._look()
        self._note_deaths(0)
        return tuple(self._member(watched) for watched in self._living())

    def _member(self, watched: _Watched) -> Member:
        is_leader = watched.pid == self.pid
        return Member(
            pid=watched.pid,
            start_ticks=round(watched.started * 1e6),
            ppid=watched.ppid,
            pgid=self.pid if self._whole_group else None,
            sid=None,
            argv=watched.argv,
            signals=tuple(watched.signals),
            exit_ms=watched.exit_ms,
            reap_ms=watched.exit_ms if is_leader and self._closed else None,
            status=self._returncode if is_leader else None,
            state="" if watched.exit_ms is not None else "R",
            escaped="",
            error=watched.error,
        )

    # --- ending ------------------------------------------------------------------------------------------------

    def _ms(self) -> float:
        return round((time.monotonic() - self._begin) * 1000, 3)

    def _signal(self, number: int) -> list[str]:
        errors: list[str] = []
        for each in (number, signal.SIGCONT) if number != signal.SIGKILL else (number,):
            try:
                os.killpg(self.pid, each) if self._whole_group else os.kill(self.pid, each)
            except ProcessLookupError:
                return errors
            except PermissionError:  # macOS says EPERM when only zombies are left in the group
                if self._living():
                    errors.append(f"killpg({self.pid}): EPERM")
                return errors
            for watched in self._living():
                watched.signals.append((signal_name(each), self._ms()))
        return errors

    def send_signal(self, signal_number: int, *, leader_only: bool = False) -> None:
        """Send a signal to all members, or to the leader only."""
        if self._closed:
            return
        if leader_only:
            os.kill(self.pid, signal_number)  # unreaped, so the pid is its own
            return
        self._look()
        self._signal(signal_number)

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
        self._begin = time.monotonic()
        deadline = self._begin + deadline_s
        escalations: list[Escalation] = []
        self._look()
        errors = self._signal(signal_number)
        gone = self._await_empty(deadline if signal_number == signal.SIGKILL else min(self._begin + grace_s, deadline))
        if not gone and signal_number != signal.SIGKILL:
            escalations.append(Escalation("SIGKILL", self._ms(), len(self._living())))
        while not gone and time.monotonic() < deadline:
            errors += self._signal(signal.SIGKILL)
            gone = self._await_empty(min(deadline, time.monotonic() + 0.1))
        if not gone:
            errors.append(deadline_passed(self._ms()))
        _ = self.returncode
        self._report = KillReport(
            backend=self.backend,
            argv=self.argv,
            members=tuple(self._member(watched) for watched in self._watched.values()),
            escalations=tuple(escalations),
            errors=tuple(dict.fromkeys(errors)),
            notes=("macOS shows no members that left the process group: they cannot be named",),
            elapsed_ms=self._ms(),
            timed_out=not gone,
            verified_by="",
            pid_table_clean=False,
        )
        return self._report

    def _await_empty(self, deadline: float) -> bool:
        pause = 0.001
        while True:
            self._note_deaths(min(pause, max(0.0, deadline - time.monotonic())))
            if not self._living() and not self._look():
                return True
            if time.monotonic() >= deadline:
                return False
            self._look()
            pause = min(pause * 2, LONGEST_PAUSE_S)

    def wait_gone(self, deadline_s: float) -> bool:
        """Wait without signalling until no member runs."""
        return self._closed or self._await_empty(time.monotonic() + deadline_s)

    def close(self) -> KillReport | None:
        """Kill what is left, reap the leader and give back all descriptors."""
        if self._closed:
            return self._report
        if self._report is None or not self._report.clean:
            self.terminate(signal.SIGKILL)
        self._popen.wait()
        self._closed = True
        self._queue.close()
        for stream in (self.stdin, self.stdout, self.stderr):
            if stream is not None:
                try:
                    stream.close()
                except BrokenPipeError:
                    pass
        if self.pty is not None:
            os.close(self.pty)
        return self._report


class ProcessGroupBackend(Backend):
    """setpgid(2) and killpg(2)."""

    name = "process-group"
    whole_group = True
    works = "a dry run ended its processes; members that call setsid leave the group, unseen"

    def start(self, command: Command) -> ProcessGroup:
        """Start a command that leads a new process group."""
        popen, master = start(command, with_terminal(["--new=group"], command))
        return MacGroup(self.name, command.argv, popen, master, whole_group=self.whole_group)


class NaiveBackend(ProcessGroupBackend):
    """Kill the direct child only; kept on purpose as the flawed baseline."""

    name = "naive"
    whole_group = False
    works = "kills the direct child only, on purpose: a baseline, no protection"
    dry_run_argv = ("/bin/sh", "-c", "echo up; exec sleep 60")
