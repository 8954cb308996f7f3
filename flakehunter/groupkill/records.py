"""Records of processes: what tells one from another, its state, and what became of it; for every system.

They are NamedTuples and not dataclasses because a supervisor is started for every group and every trial, and importing
dataclasses costs it more than everything else that it needs.
"""

import signal
from typing import NamedTuple

__all__ = ["ProcessId", "ProcessStat", "SweptProcess", "signal_name"]

DEAD_STATES = frozenset("ZXx")


class ProcessId(NamedTuple):
    """What tells a process from a later one with the same number: pid and start time in clock ticks since boot."""

    pid: int
    start_ticks: int


class ProcessStat(NamedTuple):
    """The fields of /proc/PID/stat that ending a group needs; see proc_pid_stat(5)."""

    pid: int
    state: str
    """R, S, D, T (stopped), t (traced), Z, X or I."""
    ppid: int
    pgid: int
    sid: int
    threads: int
    start_ticks: int
    """Start time in clock ticks since boot (field 22)."""
    comm: str

    @property
    def identity(self) -> ProcessId:
        """Return pid and start time."""
        return ProcessId(self.pid, self.start_ticks)

    @property
    def is_dead(self) -> bool:
        """Whether it has ended: a zombie without other threads.

        A main thread that called pthread_exit also shows Z, while the rest of the process runs on.
        """
        return self.state in DEAD_STATES and self.threads <= 1


class SweptProcess(NamedTuple):
    """What became of one process; times in milliseconds since the clock of its tracker was set."""

    pid: int
    start_ticks: int
    """With the pid its identity; 0 when it was gone before it could be looked at."""
    ppid: int
    """Its parent when it was first seen; the subreaper for an orphan."""
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


def signal_name(number: int) -> str:
    """Return the name of a signal, or its number where it has none (real-time signals)."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
