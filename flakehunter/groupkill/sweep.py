"""End every descendant of this process and wait until none is left; for a process that is a child subreaper.

Standard library only, quick to import. The calling process must not run other threads that wait for children, and must
have let go of any child it traces: `waitid` here would take their reports. Never call this in a test runner's own
process: everything below it dies.

How it works (prctl(2) PR_SET_CHILD_SUBREAPER, pidfd_open(2), waitid(2)): orphans of the tree come to the subreaper, so
the tree cannot be left; members are found by walking /proc, held by pidfd so that a signal never reaches a pid that was
given out again, and the walk is repeated until `waitid` says ECHILD, the kernel's word that nothing is left.
"""

import ctypes
import errno
import os
import select
import signal
import time
from collections.abc import Iterable
from typing import NamedTuple

from flakehunter.groupkill.procfs import ProcessId, ProcessStat, children, read_argv, read_stat

__all__ = ["SweepReport", "Sweeper", "SweptProcess", "become_subreaper", "die_with_parent", "is_subreaper", "sweep"]

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
PR_GET_CHILD_SUBREAPER = 37
FIRST_PAUSE_S = 0.001
LONGEST_PAUSE_S = 0.020


def _prctl(option: int, argument: object) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, argument, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), f"prctl({option})")


def become_subreaper() -> None:
    """Make orphans below this process its children (kernel 3.4).

    Raises:
        OSError: the kernel refuses.
    """
    _prctl(PR_SET_CHILD_SUBREAPER, ctypes.c_ulong(1))


def is_subreaper() -> bool:
    """Whether orphans below this process become its children."""
    value = ctypes.c_int(0)
    _prctl(PR_GET_CHILD_SUBREAPER, ctypes.byref(value))
    return bool(value.value)


def die_with_parent(signal_number: int = signal.SIGKILL) -> None:
    """Have the kernel send `signal_number` to this process when the thread that started it ends."""
    _prctl(PR_SET_PDEATHSIG, ctypes.c_ulong(signal_number))


class SweptProcess(NamedTuple):
    """What became of one descendant; times in milliseconds since the sweep began."""

    pid: int
    start_ticks: int
    """With the pid its identity; 0 when it was gone before it could be looked at."""
    ppid: int
    """Its parent when it was first seen; this process for an orphan."""
    pgid: int
    sid: int
    """Group and session when it was last looked at: those of a member that left differ from the leader's."""
    argv: tuple[str, ...]
    signals: tuple[tuple[str, float], ...]
    """(name, ms) of each signal sent to it by itself or by its group."""
    exit_ms: float | None
    """When its end was seen; None when it lives."""
    reap_ms: float | None
    """When it left the process table; None when it is still in it."""
    status: int | None
    """As Popen.returncode: exit code, or minus the signal; None when another process reaped it."""
    state: str
    """Empty when gone, else R, S, D, T, t or Z."""
    error: str
    """What the kernel said when it could not be signalled (EPERM, ...), else empty."""

    @property
    def identity(self) -> ProcessId:
        """Return pid and start time."""
        return ProcessId(self.pid, self.start_ticks)


class SweepReport(NamedTuple):
    """The end of a sweep: every descendant that was seen, and whether all of them are gone and reaped."""

    members: tuple[SweptProcess, ...]
    clean: bool
    """Whether `waitid` said ECHILD: no child is left, not even a zombie."""
    elapsed_ms: float
    errors: tuple[str, ...]
    """What went wrong beside members' own errors, such as a process group that could not be signalled."""

    @property
    def survivors(self) -> tuple[SweptProcess, ...]:
        """Return the members that are still in the process table."""
        return tuple(member for member in self.members if member.reap_ms is None)


class _Member:
    __slots__ = ("argv", "error", "exit_s", "first", "last", "pidfd", "reap_s", "signals", "status")

    def __init__(self, first: ProcessStat, pidfd: int | None) -> None:
        self.first = self.last = first
        self.pidfd = pidfd
        self.argv = read_argv(first.pid)
        self.signals: list[tuple[str, float]] = []
        self.exit_s: float | None = None
        self.reap_s: float | None = None
        self.status: int | None = None
        self.error = ""


class Sweeper:
    """Finds, signals and reaps the descendants of this process; `sweep` below is the usual way to use it.

    Signals are numbers, times are seconds, deadlines are in `time.monotonic()`. Use as a context manager: it holds a
    pidfd for each living member.
    """

    def __init__(self) -> None:
        self._begin = time.monotonic()
        self._members: dict[ProcessId, _Member] = {}
        self._pids: set[int] = set()
        self._by_fd: dict[int, _Member] = {}
        self._poll = select.poll()
        self._errors: list[str] = []
        self._clean = False

    def __enter__(self) -> "Sweeper":
        return self

    def __exit__(self, *_exception: object) -> None:
        for descriptor in list(self._by_fd):
            self._release(self._by_fd[descriptor])

    def restart_clock(self) -> None:
        """Count times from now on."""
        self._begin = time.monotonic()

    # --- finding -----------------------------------------------------------------------------------------------

    def look(self) -> int:
        """Walk the tree below this process, take a pidfd of each new member, and return how many are new."""
        before = len(self._members)
        seen = {os.getpid()}
        waiting = [os.getpid()]
        while waiting:
            for pid in children(waiting.pop()):
                if pid not in seen and (self._is_known(pid) or self._meet(pid, seen)):
                    seen.add(pid)
                    waiting.append(pid)
        return len(self._members) - before

    def _is_known(self, pid: int) -> bool:
        if pid not in self._pids:
            return False
        stat = read_stat(pid)
        return stat is not None and stat.identity in self._members

    def _meet(self, pid: int, tree: set[int]) -> bool:
        # The pidfd first and the parent after it: should the pid be given out again in between, either the parent is
        # foreign or the pidfd is of a dead process, and no stranger is ever signalled.
        pidfd = self._open(pid)
        stat = read_stat(pid)
        if stat is None or stat.ppid not in tree:
            if pidfd is not None:
                os.close(pidfd)
            return False
        member = self._add(stat, pidfd)
        if pidfd is not None:
            self._by_fd[pidfd] = member
            self._poll.register(pidfd, select.POLLIN)
        if stat.is_dead:
            member.exit_s = time.monotonic()
        return True

    def _add(self, stat: ProcessStat, pidfd: int | None) -> _Member:
        member = self._members[stat.identity] = _Member(stat, pidfd)
        self._pids.add(stat.pid)
        return member

    def _open(self, pid: int) -> int | None:
        try:
            return os.pidfd_open(pid)
        except OSError as error:
            # ESRCH: gone. EINVAL: exiting just now. EMFILE, ENFILE: fall back on pid and start time.
            if error.errno not in (errno.ESRCH, errno.EINVAL, errno.EMFILE, errno.ENFILE):
                self._errors.append(f"pidfd_open({pid}): {errno.errorcode.get(error.errno or 0, error)}")
            return None

    # --- signalling --------------------------------------------------------------------------------------------

    def signal_all(self, number: int, *, groups: Iterable[int] = ()) -> None:
        """Send `number` to the process groups at one blow, then to each known living member outside of them.

        A stopped member handles nothing but SIGKILL until it goes on, so it gets SIGCONT too.
        """
        reached = {group for group in groups if self._signal_group(group, number)}
        for member in self._members.values():
            if member.exit_s is None:
                self._signal(member, number, reached)

    def signal_new(self, number: int) -> None:
        """Send `number` to the living members that did not get it yet."""
        name = signal.Signals(number).name
        for member in self._members.values():
            if member.exit_s is None and all(sent != name for sent, _ in member.signals):
                self._signal(member, number, set())

    def _signal_group(self, group: int, number: int) -> bool:
        try:
            os.killpg(group, number)
        except ProcessLookupError:
            return False
        except OSError as error:
            self._errors.append(f"killpg({group}): {errno.errorcode.get(error.errno or 0, error)}")
            return False
        return True

    def _signal(self, member: _Member, number: int, reached: set[int]) -> None:
        stat = read_stat(member.first.pid)
        if stat is None or stat.start_ticks != member.first.start_ticks:
            stat = None
        # One that is gone already was in its group a moment ago, so the blow at the group was what ended it.
        if (stat or member.first).pgid not in reached and (stat is None or not self._send(member, number)):
            return
        member.signals.append((signal.Signals(number).name, self._ms(time.monotonic())))
        if stat is None:
            return
        if stat.comm != member.last.comm:  # it has called exec since
            member.argv = read_argv(stat.pid) or member.argv
        member.last = stat
        if stat.state == "T" and number not in (signal.SIGKILL, signal.SIGCONT) and self._send(member, signal.SIGCONT):
            member.signals.append(("SIGCONT", self._ms(time.monotonic())))

    def _send(self, member: _Member, number: int) -> bool:
        try:
            if member.pidfd is not None:
                signal.pidfd_send_signal(member.pidfd, number)
            else:
                os.kill(member.first.pid, number)  # its start time was compared just before
        except ProcessLookupError:
            return False
        except OSError as error:
            member.error = errno.errorcode.get(error.errno or 0, str(error))
            return False
        return True

    # --- waiting -----------------------------------------------------------------------------------------------

    def wait(self, deadline: float, *, signal_new: int | None = None) -> bool:
        """Reap until nothing is left (True) or the deadline has passed (False).

        With `signal_new` every member that turns up meanwhile is sent that signal: what a fork storm needs.
        """
        pause = FIRST_PAUSE_S
        while True:
            reaped = self._reap()
            if self._clean:
                return True
            now = time.monotonic()
            if now >= deadline:
                self._note_deaths(0)
                return False
            # Looking costs more than waiting: look when everybody known is dead, or when the pause is over.
            if self._by_fd and self._note_deaths(min(pause, deadline - now)):
                continue
            new = self.look()
            if signal_new is not None:
                self.signal_new(signal_new)
            if not new and not reaped:
                if not self._by_fd:
                    time.sleep(min(pause, max(0.0, deadline - time.monotonic())))
                pause = min(pause * 2, LONGEST_PAUSE_S)

    def _note_deaths(self, timeout_s: float) -> int:
        events = self._poll.poll(max(0.0, timeout_s) * 1000)
        now = time.monotonic()
        for descriptor, _ in events:
            member = self._by_fd[descriptor]
            if member.exit_s is None:
                member.exit_s = now
            self._release(member)
        return len(events)

    def _release(self, member: _Member) -> None:
        if member.pidfd is not None:
            self._poll.unregister(member.pidfd)
            del self._by_fd[member.pidfd]
            os.close(member.pidfd)
            member.pidfd = None

    def _reap(self) -> int:
        """Reap every child that has ended; sets `_clean` when no child is left."""
        count = 0
        while True:
            try:
                # Look before reaping: while it is a zombie its start time can still be read.
                info = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                self._clean = True
                return count
            if info is None:
                return count
            stat = read_stat(info.si_pid)
            member = self._members.get(stat.identity) if stat else None
            if member is None and stat is not None:
                member = self._add(stat, None)
            os.waitid(os.P_PID, info.si_pid, os.WEXITED | os.WNOHANG)
            count += 1
            if member is not None:
                self._mark_reaped(member, info.si_status if info.si_code == os.CLD_EXITED else -info.si_status)

    def _mark_reaped(self, member: _Member, status: int | None) -> None:
        member.reap_s = time.monotonic()
        member.exit_s = member.exit_s or member.reap_s
        member.status = status
        self._release(member)

    # --- reporting ---------------------------------------------------------------------------------------------

    def _ms(self, moment: float) -> float:
        return round((moment - self._begin) * 1000, 3)

    def report(self) -> SweepReport:
        """Return what is known of every member now, with the state of those still in the process table."""
        members = tuple(self._describe(member) for member in self._members.values())
        return SweepReport(members, self._clean, self._ms(time.monotonic()), tuple(self._errors))

    def _describe(self, member: _Member) -> SweptProcess:
        first = member.first
        state = ""
        if member.reap_s is None:
            stat = read_stat(first.pid)
            if stat is None or stat.start_ticks != first.start_ticks:
                self._mark_reaped(member, None)  # by a parent of its own, inside the tree
            else:
                state = stat.state
                if stat.is_dead and member.exit_s is None:
                    member.exit_s = time.monotonic()
        return SweptProcess(
            first.pid,
            first.start_ticks,
            first.ppid,
            member.last.pgid,
            member.last.sid,
            member.argv or (f"[{first.comm}]",),
            tuple(member.signals),
            None if member.exit_s is None else self._ms(member.exit_s),
            None if member.reap_s is None else self._ms(member.reap_s),
            member.status,
            state,
            member.error,
        )


def sweep(*, groups: Iterable[int] = (), deadline_s: float = 5.0, signal_number: int = signal.SIGKILL) -> SweepReport:
    """Signal every descendant of this process and reap until none is left, at most for `deadline_s` seconds.

    Args:
        groups: process groups to signal at one blow first (quickest, and nothing in them can fork away); give only
            groups whose leader has not been reaped yet, since its number may be somebody else's by now.
        deadline_s: when to give up; what is left then stands in the report as a survivor, with its state.
        signal_number: what to send; members that appear during the sweep get it too.

    Returns:
        The report: every descendant seen, its times and exit status, and whether nothing is left.

    Raises:
        RuntimeError: this process is not a child subreaper, so orphans would get away unseen.
    """
    if not is_subreaper():
        raise RuntimeError("sweep() needs a child subreaper: call become_subreaper() before starting children")
    deadline = time.monotonic() + deadline_s
    with Sweeper() as sweeper:
        sweeper.look()  # pidfds before the blow: only so have members a time of death
        sweeper.signal_all(signal_number, groups=groups)
        sweeper.wait(deadline, signal_new=signal_number)
        return sweeper.report()
