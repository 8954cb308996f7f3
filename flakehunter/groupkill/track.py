"""Hold processes by pidfd, signal them, and note when each of them ends; standard library only, Linux."""

import sys

assert sys.platform == "linux"

import errno
import os
import select
import signal
import time
from collections.abc import Callable, Iterable

from flakehunter.groupkill.procfs import read_argv, read_stat
from flakehunter.groupkill.records import ProcessId, ProcessStat, SweptProcess

__all__ = ["Tracked", "Tracker"]


class Tracked:
    """One process that is held; `exit_s` and `reap_s` are moments of `time.monotonic()`."""

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

    def see(self, stat: ProcessStat) -> None:
        """Take over what changes in a process's life: group, session, and the command when it has called exec."""
        if stat.comm != self.last.comm:
            self.argv = read_argv(stat.pid) or self.argv
        self.last = stat

    @property
    def lives(self) -> bool:
        """Whether its end has not been seen yet."""
        return self.exit_s is None


class Tracker:
    """A set of processes with a pidfd for each living one; a context manager, since it holds descriptors."""

    def __init__(self) -> None:
        self.begin_s = time.monotonic()
        self.processes: dict[ProcessId, Tracked] = {}
        self.errors: list[str] = []
        self._pids: set[int] = set()
        self._by_fd: dict[int, Tracked] = {}
        self._poll = select.poll()

    def close(self) -> None:
        """Let go of all processes."""
        for tracked in list(self._by_fd.values()):
            self.release(tracked)

    def restart_clock(self) -> None:
        """Count times from now on."""
        self.begin_s = time.monotonic()

    def ms(self, moment: float) -> float:
        """Return milliseconds from the start of the clock to `moment`."""
        return round((moment - self.begin_s) * 1000, 3)

    def living(self) -> list[Tracked]:
        """Return the processes whose end has not been seen."""
        return [tracked for tracked in self.processes.values() if tracked.exit_s is None]

    # --- finding -----------------------------------------------------------------------------------------------

    def is_known(self, pid: int) -> bool:
        """Whether the process that has `pid` now is one that is held already."""
        if pid not in self._pids:
            return False
        stat = read_stat(pid)
        return stat is not None and stat.identity in self.processes

    def take(self, pid: int, is_member: Callable[[ProcessStat], bool]) -> bool:
        """Hold `pid`, if `is_member` says so of its state; returns whether it is held now and was not before.

        The pidfd comes first and the question after it: should the pid be given out again in between, the answer is no,
        or the pidfd is of a dead process, and no stranger is ever signalled.
        """
        pidfd = self._open(pid)
        stat = read_stat(pid)
        if stat is None or stat.identity in self.processes or not is_member(stat):
            if pidfd is not None:
                os.close(pidfd)
            return False
        tracked = self.add(stat, pidfd)
        if pidfd is not None:
            self._by_fd[pidfd] = tracked
            self._poll.register(pidfd, select.POLLIN)
        if stat.is_dead:
            tracked.exit_s = time.monotonic()
        return True

    def prepare(self, pids: Iterable[int]) -> list[tuple[int, int | None, tuple[str, ...]]]:
        """Take what is lost when a process dies, its pidfd and its command line, of those not held yet, and no more.

        For a blow that reaches members by other means than these pids: nothing is checked here, for speed.
        """
        held = {tracked.first.pid for tracked in self._by_fd.values()}
        return [(pid, self._open(pid), read_argv(pid)) for pid in pids if pid not in held]

    def adopt(self, prepared: Iterable[tuple[int, int | None, tuple[str, ...]]]) -> None:
        """Hold what was prepared, dying or dead by now; one that was reaped meanwhile has no start time."""
        for pid, pidfd, argv in prepared:
            stat = read_stat(pid) or ProcessStat(pid, "X", 0, 0, 0, 0, 0, argv[0] if argv else "?")
            if stat.identity in self.processes:
                if pidfd is not None:
                    os.close(pidfd)
                continue
            tracked = self.add(stat, pidfd)
            tracked.argv = argv
            if pidfd is None:
                tracked.exit_s = time.monotonic()
            else:
                self._by_fd[pidfd] = tracked
                self._poll.register(pidfd, select.POLLIN)

    def add(self, stat: ProcessStat, pidfd: int | None = None) -> Tracked:
        """Remember a process, dead or alive."""
        tracked = self.processes[stat.identity] = Tracked(stat, pidfd)
        self._pids.add(stat.pid)
        return tracked

    def _open(self, pid: int) -> int | None:
        try:
            return os.pidfd_open(pid)
        except OSError as error:
            # ESRCH: gone. EINVAL: exiting just now. EMFILE, ENFILE: fall back on pid and start time.
            if error.errno not in (errno.ESRCH, errno.EINVAL, errno.EMFILE, errno.ENFILE):
                self.note(f"pidfd_open({pid})", error)
            return None

    def note(self, what: str, error: OSError) -> None:
        """Keep an error for the report."""
        text = f"{what}: {errno.errorcode.get(error.errno or 0, str(error))}"
        if text not in self.errors:
            self.errors.append(text)

    # --- signalling --------------------------------------------------------------------------------------------

    def signal_all(self, number: int, *, groups: Iterable[int] = ()) -> None:
        """Send `number` to the process groups at one blow, then to each living process outside of them.

        A stopped process handles nothing but SIGKILL until it goes on, so it gets SIGCONT too.
        """
        self.note_deaths(0)  # or the blow would be written down for one that had ended before it
        reached = {group for group in groups if self.signal_group(group, number)}
        for tracked in self.living():
            self.signal_one(tracked, number, reached)

    def signal_new(self, number: int) -> None:
        """Send `number` to the living processes that did not get it yet."""
        name = signal.Signals(number).name
        for tracked in self.living():
            if all(sent != name for sent, _ in tracked.signals):
                self.signal_one(tracked, number)

    def signal_group(self, group: int, number: int) -> bool:
        """Send `number` to a process group; returns whether it was delivered to anybody."""
        try:
            os.killpg(group, number)
        except ProcessLookupError:
            return False
        except OSError as error:
            self.note(f"killpg({group})", error)
            return False
        return True

    def signal_one(self, tracked: Tracked, number: int, reached: Iterable[int] = ()) -> None:
        """Send `number` to one process, unless its process group is among those `reached` already."""
        stat = read_stat(tracked.first.pid)
        if stat is not None and stat.start_ticks != tracked.first.start_ticks:
            stat = None
        # One that is gone already was in its group a moment ago, so the blow at the group was what ended it.
        if (stat or tracked.last).pgid not in reached and (stat is None or not self._send(tracked, number)):
            return
        self.note_signal(tracked, number)
        if stat is None:
            return
        tracked.see(stat)
        if stat.state == "T" and number not in (signal.SIGKILL, signal.SIGCONT) and self._send(tracked, signal.SIGCONT):
            self.note_signal(tracked, signal.SIGCONT)

    def note_signal(self, tracked: Tracked, number: int) -> None:
        """Write down that a signal went to a process."""
        tracked.signals.append((signal.Signals(number).name, self.ms(time.monotonic())))

    def _send(self, tracked: Tracked, number: int) -> bool:
        try:
            if tracked.pidfd is not None:
                signal.pidfd_send_signal(tracked.pidfd, number)
            else:
                os.kill(tracked.first.pid, number)  # its start time was compared just before
        except ProcessLookupError:
            return False
        except OSError as error:
            tracked.error = errno.errorcode.get(error.errno or 0, str(error))
            return False
        return True

    # --- waiting -----------------------------------------------------------------------------------------------

    @property
    def holds_any(self) -> bool:
        """Whether a process that was not seen to end is held by pidfd."""
        return bool(self._by_fd)

    def note_deaths(self, timeout_s: float) -> int:
        """Wait at most `timeout_s` for the end of a process that is held, and return how many have ended."""
        events = self._poll.poll(max(0.0, timeout_s) * 1000)
        now = time.monotonic()
        for descriptor, _ in events:
            tracked = self._by_fd[descriptor]
            tracked.exit_s = tracked.exit_s or now
            self.release(tracked)
        return len(events) + self._note_deaths_without_pidfd(now)

    def _note_deaths_without_pidfd(self, now: float) -> int:
        count = 0
        for tracked in self.living() if len(self._by_fd) < len(self.processes) else ():
            if tracked.pidfd is None:
                stat = read_stat(tracked.first.pid)
                if stat is None or stat.identity != tracked.first.identity or stat.is_dead:
                    tracked.exit_s = now
                    count += 1
        return count

    def release(self, tracked: Tracked) -> None:
        """Close the pidfd of a process."""
        if tracked.pidfd is not None and tracked.pidfd in self._by_fd:
            self._poll.unregister(tracked.pidfd)
            del self._by_fd[tracked.pidfd]
            os.close(tracked.pidfd)
            tracked.pidfd = None

    def mark_reaped(self, tracked: Tracked, status: int | None) -> None:
        """Write down that a process left the process table."""
        tracked.reap_s = time.monotonic()
        tracked.exit_s = tracked.exit_s or tracked.reap_s
        tracked.status = status if tracked.status is None else tracked.status
        self.release(tracked)

    # --- reporting ---------------------------------------------------------------------------------------------

    def describe(self) -> tuple[SweptProcess, ...]:
        """Return what is known of every process now, with the state of those still in the process table."""
        return tuple(self._describe(tracked) for tracked in self.processes.values())

    def _describe(self, tracked: Tracked) -> SweptProcess:
        first = tracked.first
        state = ""
        if tracked.reap_s is None:
            stat = read_stat(first.pid)
            if stat is None or stat.start_ticks != first.start_ticks:
                self.mark_reaped(tracked, None)  # by another process
            else:
                state = stat.state
                tracked.see(stat)
                if stat.is_dead and tracked.exit_s is None:
                    tracked.exit_s = time.monotonic()
        return SweptProcess(
            first.pid,
            first.start_ticks,
            first.ppid,
            tracked.last.pgid,
            tracked.last.sid,
            tracked.argv or (f"[{first.comm}]",),
            tuple(tracked.signals),
            None if tracked.exit_s is None else self.ms(tracked.exit_s),
            None if tracked.reap_s is None else self.ms(tracked.reap_s),
            tracked.status,
            state,
            tracked.error,
        )
