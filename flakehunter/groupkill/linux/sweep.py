"""End every descendant of this process and wait until none is left; for a process that is a child subreaper.

Standard library only, quick to import. The calling process must not run other threads that wait for children, and must
have let go of any child it traces: `waitid` here would take their reports. Never call this in a test runner's own
process: everything below it dies.

How it works (prctl(2) PR_SET_CHILD_SUBREAPER, pidfd_open(2), waitid(2)): orphans of the tree come to the subreaper, so
the tree cannot be left; members are found by walking /proc, held by pidfd so that a signal never reaches a pid that was
given out again, and the walk is repeated until `waitid` says ECHILD, the kernel's word that nothing is left.
"""

import sys

assert sys.platform == "linux"

import ctypes
import os
import signal
import time
from collections.abc import Iterable
from typing import NamedTuple

from flakehunter.groupkill.linux.procfs import children, read_stat
from flakehunter.groupkill.linux.track import Tracker
from flakehunter.groupkill.records import SweptProcess

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


class Sweeper(Tracker):
    """Finds, signals and reaps the descendants of this process; `sweep` below is the usual way to use it.

    Signals are numbers, times are seconds, deadlines are in `time.monotonic()`. Close it: it holds a pidfd for each
    living member.
    """

    def __init__(self) -> None:
        super().__init__()
        self.clean = False

    def look(self) -> int:
        """Walk the tree below this process, take a pidfd of each new member, and return how many are new."""
        before = len(self.processes)
        seen = {os.getpid()}
        waiting = [os.getpid()]
        while waiting:
            for pid in children(waiting.pop()):
                if pid not in seen and (self.recognise(pid) or self.take(pid, lambda stat: stat.ppid in seen)):
                    seen.add(pid)
                    waiting.append(pid)
        return len(self.processes) - before

    def wait(self, deadline: float, *, signal_new: int | None = None) -> bool:
        """Reap until nothing is left (True) or the deadline has passed (False).

        With `signal_new` every member that turns up meanwhile is sent that signal: what a fork storm needs.
        """
        pause = FIRST_PAUSE_S
        while True:
            reaped = self.reap()
            if self.clean:
                return True
            now = time.monotonic()
            if now >= deadline:
                self.note_deaths(0)
                return False
            # Looking costs more than waiting: look when everybody known is dead, or when the pause is over.
            if self.holds_any and self.note_deaths(min(pause, deadline - now)):
                continue
            new = self.look()
            if signal_new is not None:
                self.signal_new(signal_new)
            if not new and not reaped:
                if not self.holds_any:
                    time.sleep(min(pause, max(0.0, deadline - time.monotonic())))
                pause = min(pause * 2, LONGEST_PAUSE_S)

    def reap(self) -> int:
        """Reap every child that has ended and return how many; sets `clean` when no child is left."""
        count = 0
        while True:
            try:
                # Look before reaping: while it is a zombie its start time can still be read.
                info = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                self.clean = True
                return count
            if info is None:
                return count
            stat = read_stat(info.si_pid)
            os.waitid(os.P_PID, info.si_pid, os.WEXITED | os.WNOHANG)
            count += 1
            if stat is not None:
                tracked = self.processes.get(stat.identity) or self.add(stat)
                self.mark_reaped(tracked, info.si_status if info.si_code == os.CLD_EXITED else -info.si_status)

    def report(self) -> SweepReport:
        """Return what is known of every member now."""
        return SweepReport(self.describe(), self.clean, self.ms(time.monotonic()), tuple(self.errors))


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
    sweeper = Sweeper()
    try:
        sweeper.look()  # pidfds before the blow: only so have members a time of death
        sweeper.signal_all(signal_number, groups=groups)
        sweeper.wait(deadline, signal_new=signal_number)
        return sweeper.report()
    finally:
        sweeper.close()
