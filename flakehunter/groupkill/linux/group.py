"""The group of the Linux backends whose command is our own child; each backend adds its way to reach the members."""

import sys

assert sys.platform == "linux"

import contextlib
import os
import select
import signal
import threading
import time
from collections.abc import Sequence
from typing import IO, Any

from flakehunter.groupkill.backend import DEFAULT_DEADLINE_S, DEFAULT_GRACE_S, ProcessGroup
from flakehunter.groupkill.linux.marks import Mark
from flakehunter.groupkill.linux.procfs import ProcessStat, descendants, read_stat
from flakehunter.groupkill.linux.reach import Reach
from flakehunter.groupkill.linux.track import Tracker
from flakehunter.groupkill.report import Escalation, KillReport, Member, deadline_passed
from flakehunter.groupkill.start import PythonPopen

__all__ = ["LinuxProcessGroup"]

FIRST_PAUSE_S = 0.001
LONGEST_PAUSE_S = 0.020
DYING_S = 0.05


class LinuxProcessGroup(ProcessGroup):
    """A group whose leader is a child of this process and stays unreaped until the group is empty.

    A zombie's pid is given to nobody, so the leader's pid, which is also the number of its process group and session,
    cannot come to mean somebody else while it is still signalled.
    """

    def __init__(
        self, backend: str, argv: tuple[str, ...], popen: PythonPopen, pty: int | None, reach: Reach, mark: Mark
    ) -> None:
        self.backend = backend
        self.argv = argv
        self.pty = pty
        self._popen = popen
        self.stdin: IO[Any] | None = popen.stdin
        self.stdout: IO[Any] | None = popen.stdout
        self.stderr: IO[Any] | None = popen.stderr
        self._reach = reach
        self._mark = mark
        self._tracker = Tracker()
        self._leader_fd: int | None = os.pidfd_open(popen.pid)
        stat = read_stat(popen.pid)
        assert stat is not None  # unreaped, so it is there
        self._leader_stat = stat
        self._returncode: int | None = None
        self._report: KillReport | None = None
        self._released = False
        self._lock = threading.RLock()

    # --- the leader --------------------------------------------------------------------------------------------

    @property
    def pid(self) -> int:
        """Return the pid of the leader."""
        return self._popen.pid

    @property
    def returncode(self) -> int | None:
        """Return the leader's exit code, or None while it runs."""
        if self._returncode is None and self._leader_fd is not None:
            info = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if info is not None:
                self._returncode = info.si_status if info.si_code == os.CLD_EXITED else -info.si_status
        return self._returncode

    def wait(self, timeout_s: float | None = None) -> int:
        """Wait for the leader only."""
        if self.returncode is None and self._leader_fd is not None:
            poll = select.poll()
            poll.register(self._leader_fd, select.POLLIN)
            if not poll.poll(None if timeout_s is None else timeout_s * 1000):
                raise TimeoutError(f"pid {self.pid} ({self.argv[0]}) still runs after {timeout_s:g} s")
        code = self.returncode
        assert code is not None
        return code

    def _reap_leader(self) -> None:
        if self._leader_fd is None or self.returncode is None:
            return
        stat = read_stat(self.pid)
        tracked = self._tracker.processes.get(stat.identity) if stat else None
        self._popen.wait()
        os.close(self._leader_fd)
        self._leader_fd = None
        if tracked is not None:
            self._tracker.mark_reaped(tracked, self._returncode)

    # --- members -----------------------------------------------------------------------------------------------

    def _look(self) -> int:
        self._tracker.note_deaths(0)  # or the next blow would be written down for one that had ended before it
        before = len(self._tracker.processes)
        for pid in self._reach.pids():
            if not self._tracker.recognise(pid):
                self._tracker.take(pid, self._reach.is_member)
        return len(self._tracker.processes) - before

    def members(self) -> tuple[Member, ...]:
        """Return the members that run now."""
        with self._lock:
            if self._released:
                return ()
            self._look()
            self._tracker.note_deaths(0)
            described = self._members()
        return tuple(member for member in described if member.is_alive)

    def send_signal(self, signal_number: int, *, leader_only: bool = False) -> None:
        """Send a signal to all members, or to the leader only."""
        if leader_only and self._leader_fd is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._leader_fd, signal_number)
        elif not self._released and not leader_only:
            with self._lock:
                self._look()
                self._reach.signal(self._tracker, signal_number)

    # --- ending ------------------------------------------------------------------------------------------------

    def terminate(
        self,
        signal_number: int = signal.SIGTERM,
        *,
        grace_s: float = DEFAULT_GRACE_S,
        deadline_s: float = DEFAULT_DEADLINE_S,
    ) -> KillReport:
        """End the group; see ProcessGroup.terminate."""
        with self._lock:
            if self._released and self._report is not None:
                return self._report
            return self._terminate(signal_number, grace_s, deadline_s)

    def _terminate(self, signal_number: int, grace_s: float, deadline_s: float) -> KillReport:
        self._tracker.restart_clock()
        begin = self._tracker.begin_s
        deadline = begin + deadline_s
        escalations: list[Escalation] = []
        if signal_number == signal.SIGKILL and self._reach.kills_at_once and self._blow():
            return self._finish((), escalations, self._await_empty(deadline, kill=True), deadline)
        self._look()  # pidfds before the blow: only so have members a time of death
        strays = () if self._mark.resource is not None else self._strays_below_leader()
        if signal_number != signal.SIGKILL:
            self._reach.signal(self._tracker, signal_number)
        if signal_number == signal.SIGKILL or not self._await_empty(min(begin + grace_s, deadline)):
            living = len(self._tracker.living())
            if signal_number != signal.SIGKILL:
                escalations.append(Escalation(self._reach.kill_name, self._now_ms(), living))
            self._reach.signal(self._tracker, signal.SIGKILL)
        gone = self._await_empty(deadline, kill=True)
        return self._finish(strays, escalations, gone, deadline)

    def _blow(self) -> bool:
        """Kill by a mechanism that needs no list of members; what the report needs is read while they die."""
        prepared = self._tracker.prepare(self._reach.pids())
        moment = time.monotonic()
        done = self._reach.blow(self._tracker)
        held = self._tracker.living()
        held += self._tracker.adopt(prepared, dying_s=DYING_S if done else 0.0)
        for tracked in held if done else ():
            if tracked.exit_s is None or tracked.exit_s >= moment:
                self._tracker.note_signal(tracked, signal.SIGKILL, moment)
        return done

    def _await_empty(self, deadline: float, *, kill: bool = False) -> bool:
        """Wait until the group is empty; with `kill`, kill what turns up meanwhile. False when the time is over."""
        pause = FIRST_PAUSE_S
        while True:
            if self._tracker.holds_any:
                left = deadline - time.monotonic()
                if self._tracker.note_deaths(max(0.0, min(pause, left))) and self._tracker.holds_any:
                    continue
            if not self._tracker.living() and not self._look() and self._reach.is_empty() is not False:
                return True
            if time.monotonic() >= deadline:
                return False
            new = self._look()
            if kill and (new or self._tracker.living_without(signal.SIGKILL)):
                self._reach.signal(self._tracker, signal.SIGKILL)
            if not new:
                if not self._tracker.holds_any:  # the kernel says that somebody is left whom we cannot see yet
                    time.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE_S)

    # --- members that left -------------------------------------------------------------------------------------

    def _strays_below_leader(self) -> list[ProcessStat]:
        """Return descendants of the leader outside of the reach: seen while the leader still ties them to it."""
        return [stat for stat in descendants(self.pid) if not stat.is_dead and not self._reach.is_member(stat)]

    def _take_strays(self, before: Sequence[ProcessStat], deadline: float) -> bool:
        """Hold members that left the mechanism, kill them where the backend does that, and wait for those it killed."""
        for _ in range(100):
            found = {stat.identity: stat for stat in [*before, *self._mark.find()]}
            new = [
                stat
                for identity, stat in found.items()
                if identity not in self._tracker.processes
                and self._tracker.take(stat.pid, lambda now, then=identity: now.identity == then)  # type: ignore[misc]
            ]
            if not new or not self._reach.ends_strays:
                return True
            self._tracker.signal_new(signal.SIGKILL)
            while self._tracker.living():
                if time.monotonic() >= deadline:
                    return False
                self._tracker.note_deaths(0.005)
        return False

    def _members(self) -> tuple[Member, ...]:
        return tuple(Member.of(swept, self._leader_stat) for swept in self._tracker.describe())

    # --- reporting ---------------------------------------------------------------------------------------------

    def _now_ms(self) -> float:
        return self._tracker.ms(time.monotonic())

    def _finish(
        self, strays: Sequence[ProcessStat], escalations: list[Escalation], gone: bool, deadline: float
    ) -> KillReport:
        strays_gone = self._take_strays(strays, deadline)
        self._tracker.note_deaths(0)
        self._reap_leader()
        members = self._members()
        timed_out = not gone or not strays_gone
        errors = list(self._tracker.errors)
        if timed_out:
            errors.append(deadline_passed(self._now_ms()))
        if gone and self._leader_fd is None:
            errors += self._reach.release(max(deadline, time.monotonic() + 1.0))
            self._released = True
        verified = "marks inherited by every member (resource limit and environment), searched in all of /proc"
        if self._mark.resource is None:
            verified = "an environment mark only: no resource limit was free to mark"
        self._report = KillReport(
            backend=self.backend,
            argv=self.argv,
            members=members,
            escalations=tuple(escalations),
            errors=tuple(errors),
            notes=tuple(dict.fromkeys(self._tracker.notes)),
            elapsed_ms=self._now_ms(),
            timed_out=timed_out,
            verified_by=verified,
            pid_table_clean=all(not member.state for member in members),
        )
        return self._report

    def wait_gone(self, deadline_s: float) -> bool:
        """Wait without signalling until no member runs."""
        with self._lock:
            return self._released or self._await_empty(time.monotonic() + deadline_s)

    def close(self) -> KillReport | None:
        """Kill what is left and give back all descriptors."""
        if not self._released:
            self.terminate(signal.SIGKILL)
        self._tracker.close()
        for stream in (self.stdin, self.stdout, self.stderr):
            if stream is not None:
                close_quietly(stream)
        if self.pty is not None:
            os.close(self.pty)
            self.pty = None
        return self._report


def close_quietly(stream: IO[Any]) -> None:
    """Close a pipe to a process that may be dead: what is still buffered for it has no reader."""
    try:
        stream.close()
    except BrokenPipeError:
        pass
