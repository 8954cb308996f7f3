"""Hold processes by pidfd, signal them, and note when each of them ends; standard library only, Linux."""

import sys

assert sys.platform == "linux"

import errno
import os
import select
import signal
import time
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import NamedTuple, Self

from flakehunter.groupkill.linux.procfs import parse_stat, read_argv, read_stat, stat_text
from flakehunter.groupkill.records import ProcessId, ProcessStat, SweptProcess, signal_name

__all__ = ["Tracked", "Tracker"]

BATCH_S = 0.001
"""How exact the moments of many deaths at once are."""


class Tracked:
    """One process that is held; `exit_s` and `reap_s` are moments of `time.monotonic()`."""

    __slots__ = ("_argv_of", "argv", "error", "exit_s", "first", "last", "pidfd", "reap_s", "signals", "status")

    def __init__(self, first: ProcessStat, pidfd: int | None, argv: tuple[str, ...]) -> None:
        self.first = self.last = first
        self.pidfd = pidfd
        self.argv = argv
        self._argv_of = first.comm if argv else ""
        """The program whose command line `argv` is."""
        self.signals: list[tuple[str, float]] = []
        self.exit_s: float | None = None
        self.reap_s: float | None = None
        self.status: int | None = None
        self.error = ""

    def see(self, stat: ProcessStat) -> None:
        """Take over what changes in a process's life: group, session, and the command when it has called exec."""
        if stat.pgid < 0:  # just being taken off the process table: the kernel shows no group any more
            return
        # In the middle of an exec the name is new already and the command line still empty: it is asked for again.
        if stat.comm != self._argv_of and (argv := read_argv(stat.pid)):
            self.argv, self._argv_of = argv, stat.comm
        self.last = stat

    @property
    def lives(self) -> bool:
        """Whether its end has not been seen yet."""
        return self.exit_s is None

    def was_sent(self, number: int) -> bool:
        """Whether that signal went to it already."""
        return any(name == signal_name(number) for name, _ in self.signals)


class Prepared(NamedTuple):
    """What was taken of a process before a blow; `pidfd` is None when it was gone already."""

    pid: int
    pidfd: int | None
    argv: tuple[str, ...]
    pgid: int
    sid: int


def _group_and_session(pid: int) -> tuple[int, int]:
    try:
        return os.getpgid(pid), os.getsid(pid)
    except OSError:  # ESRCH: gone
        return -1, -1


def moments_of_death(pidfds: Sequence[int], timeout_s: float) -> dict[int, float]:
    """Wait at most `timeout_s` for all of these to end; returns the moment (`time.monotonic()`) of each that has."""
    poll = select.poll()
    for pidfd in pidfds:
        poll.register(pidfd, select.POLLIN)
    ended: dict[int, float] = {}
    deadline = time.monotonic() + timeout_s
    while len(ended) < len(pidfds) and (left := deadline - time.monotonic()) > 0:
        for pidfd, _ in poll.poll(left * 1000):
            poll.unregister(pidfd)
            ended[pidfd] = time.monotonic()
        time.sleep(BATCH_S)  # each waking up takes a processor from those that are dying
    return ended


class Tracker:
    """A set of processes with a pidfd for each living one; a context manager, since it holds descriptors."""

    def __init__(self) -> None:
        self.begin_s = time.monotonic()
        self.processes: dict[ProcessId, Tracked] = {}
        self.errors: list[str] = []
        self.notes: list[str] = []
        """What the system said that is no error, such as ESRCH for a group that had ended by itself."""
        self._blows: list[tuple[int, int, float]] = []
        self._pids: set[int] = set()
        self._by_fd: dict[int, Tracked] = {}
        self._poll = select.poll()

    def close(self) -> None:
        """Let go of all processes."""
        for tracked in list(self._by_fd.values()):
            self.release(tracked)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()

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

    def recognise(self, pid: int) -> bool:
        """Whether the process that has `pid` now is held already; what has changed in its life is taken over."""
        if pid not in self._pids:
            return False
        stat = read_stat(pid)
        tracked = self.processes.get(stat.identity) if stat is not None else None
        if stat is None or tracked is None:
            return False
        tracked.see(stat)
        return True

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

    def prepare(self, pids: Iterable[int]) -> list[Prepared]:
        """Take what is lost when a process dies of those not held yet: pidfd, command line, group, session; no more.

        For a blow that reaches members by other means than these pids: nothing is checked here, for speed.
        """
        return [
            Prepared(pid, self._open(pid), read_argv(pid), *_group_and_session(pid))
            for pid in pids
            if not self.recognise(pid)
        ]

    def adopt(self, prepared: Iterable[Prepared], *, dying_s: float) -> list[Tracked]:
        """Hold what was prepared and return it; one that was reaped meanwhile has no start time.

        The start times are read first, before anybody reaps; all other work waits, at most for `dying_s` seconds, until
        the processes have had the processors for themselves to die.
        """
        texts = [(each, stat_text(each.pid)) for each in prepared]
        ended = moments_of_death([each.pidfd for each, _ in texts if each.pidfd is not None], dying_s)
        adopted = []
        for (pid, pidfd, argv, pgid, sid), text in texts:
            stat = parse_stat(text) if text else ProcessStat(pid, "X", 0, -1, -1, 0, 0, argv[0] if argv else "?")
            if stat.pgid < 0:  # as the kernel shows one that is just being taken off the process table
                stat = stat._replace(pgid=pgid, sid=sid)
            if stat.identity in self.processes:
                if pidfd is not None:
                    os.close(pidfd)
                continue
            tracked = self.add(stat, pidfd, argv)
            adopted.append(tracked)
            if pidfd is None:
                tracked.exit_s = time.monotonic()
                continue
            self._by_fd[pidfd] = tracked
            self._poll.register(pidfd, select.POLLIN)
            if pidfd in ended:
                tracked.exit_s = ended[pidfd]
                self.release(tracked)
        return adopted

    def add(self, stat: ProcessStat, pidfd: int | None = None, argv: tuple[str, ...] | None = None) -> Tracked:
        """Remember a process, dead or alive; its command line is read where it is not given."""
        argv = read_argv(stat.pid) if argv is None else argv
        tracked = self.processes[stat.identity] = Tracked(stat, pidfd, argv)
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
        for tracked in self.living_without(number):
            self.signal_one(tracked, number)

    def living_without(self, number: int) -> list[Tracked]:
        """Return the living processes that were not sent `number` yet."""
        return [tracked for tracked in self.living() if not tracked.was_sent(number)]

    def signal_group(self, group: int, number: int) -> bool:
        """Send `number` to a process group; returns whether it was delivered to anybody."""
        try:
            os.killpg(group, number)
        except ProcessLookupError:
            self.notes.append(f"killpg({group}, {signal_name(number)}): ESRCH: nobody was in it any more")
            return False
        except OSError as error:
            self.note(f"killpg({group})", error)
            return False
        self._blows.append((group, number, time.monotonic()))
        return True

    def signal_one(self, tracked: Tracked, number: int, reached: Iterable[int] = ()) -> None:
        """Send `number` to one process, unless its process group is among those `reached` already."""
        stat = read_stat(tracked.first.pid)
        if stat is not None and (stat.start_ticks != tracked.first.start_ticks or stat.pgid < 0):
            stat = None  # the kernel shows -1 for the group of one that is just being taken off the process table
        # One that is gone already was in its group a moment ago, so the blow at the group was what ended it.
        if (stat or tracked.last).pgid not in reached and (stat is None or not self._send(tracked, number)):
            if not tracked.signals:
                tracked.error = tracked.error or "ESRCH"
            return
        self.note_signal(tracked, number)
        if stat is None:
            return
        tracked.see(stat)
        if stat.state == "T" and number not in (signal.SIGKILL, signal.SIGCONT) and self._send(tracked, signal.SIGCONT):
            self.note_signal(tracked, signal.SIGCONT)

    def note_signal(self, tracked: Tracked, number: int, moment: float | None = None) -> None:
        """Write down that a signal went to a process, now or at that moment (`time.monotonic()`).

        Of SIGKILL only the first counts: nothing blocks, handles or outlives it, so another one changes nothing.
        """
        if number == signal.SIGKILL and tracked.was_sent(number):
            return
        sent = time.monotonic() if moment is None else moment
        tracked.signals.append((signal_name(number), self.ms(sent)))

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

    def _blow_that_ended(self, tracked: Tracked) -> tuple[tuple[str, float], ...]:
        """Return the signal to its process group that ended a member nobody knew yet: one of a fork storm."""
        for group, number, moment in self._blows:
            if group == tracked.last.pgid and tracked.status == -number:
                return ((signal_name(number), self.ms(moment)),)
        return ()

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
            tuple(tracked.signals) or self._blow_that_ended(tracked),
            None if tracked.exit_s is None else self.ms(tracked.exit_s),
            None if tracked.reap_s is None else self.ms(tracked.reap_s),
            tracked.status,
            state,
            tracked.error,
        )
