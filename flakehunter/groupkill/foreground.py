"""Run one command in the foreground like timeout(1) with the duties of a container's init, and leave nothing behind."""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import FrameType

from flakehunter.groupkill.backend import GroupKillBackend, ProcessGroup
from flakehunter.groupkill.command import SpawnOptions
from flakehunter.groupkill.report import KillReport, Member

__all__ = ["RunResult", "run_command"]

SLICE_S = 0.05
FIRST_REAP_S = 0.2

ENDING = ("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGBREAK")
"""Signals that ask for the end: sent on to the whole group, which then has the grace period."""
PASSED_ON = ("SIGUSR1", "SIGUSR2", "SIGALRM", "SIGWINCH", "SIGCONT")
"""Signals that only the command can understand: sent on to it alone."""


@dataclass(frozen=True, slots=True)
class RunResult:
    """How the command ended: `returncode` as in Popen, `outlived` the members that still ran when it had ended."""

    returncode: int
    timed_out: bool
    signal_number: int | None
    """The signal that asked this process to end, if one did."""
    outlived: tuple[Member, ...]
    report: KillReport

    @property
    def status(self) -> int:
        """Return the exit status of `flakehunter run`: CMD's own, 128 + n when a signal ended it, 124 on a time-out."""
        if self.timed_out:
            return 124
        return self.returncode if self.returncode >= 0 else 128 - self.returncode


class _Inbox:
    """The signals that have arrived and were not handled yet."""

    def __init__(self) -> None:
        self.numbers: list[int] = []

    def put(self, number: int, _frame: FrameType | None) -> None:
        self.numbers.append(number)


@contextlib.contextmanager
def _handlers(inbox: _Inbox) -> Iterator[None]:
    before = {}
    for name in (*ENDING, *PASSED_ON):
        number = getattr(signal, name, None)
        if number is not None:
            before[number] = signal.signal(number, inbox.put)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _has_terminal() -> bool:
    """Whether stdin is a terminal whose foreground group is ours: only then is it ours to give."""
    if sys.platform == "win32":
        return False
    try:
        return os.tcgetpgrp(0) == os.getpgrp()
    except OSError:  # stdin is no terminal, or not that of our session
        return False


@contextlib.contextmanager
def _terminal_taken_back(lent: bool) -> Iterator[None]:
    """Make our own group the terminal's foreground group again, once the command has it no more."""
    if sys.platform == "win32" or not lent:
        yield
        return
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # or taking the terminal back would stop us
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            os.tcsetpgrp(0, os.getpgrp())
        signal.signal(signal.SIGTTOU, signal.SIG_DFL)


def _adopt_orphans() -> None:
    """Become the subreaper of the group: its orphans are to be reaped at once, and not when init likes."""
    if sys.platform == "linux":
        from flakehunter.groupkill.linux.sweep import become_subreaper

        with contextlib.suppress(OSError):
            become_subreaper()


def _reap_orphans(leader: int) -> None:
    """Reap children that are not ours by birth."""
    if sys.platform == "linux":
        from flakehunter.groupkill.linux.procfs import children, read_stat

        for pid in children(os.getpid()):
            stat = read_stat(pid) if pid != leader else None
            if stat is not None and stat.is_dead:
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(pid, os.WNOHANG)


def _wait_for_orphans(group: ProcessGroup, report: KillReport) -> None:
    """Reap the orphans among the dead members, also those that become ours only now; gives up after a moment."""
    end = time.monotonic() + FIRST_REAP_S
    _reap_orphans(group.pid)
    while any(_is_there(member) for member in report.unreaped) and time.monotonic() < end:
        _reap_orphans(group.pid)


def _is_there(member: Member) -> bool:
    if sys.platform == "linux":
        from flakehunter.groupkill.linux.procfs import ProcessId, is_gone

        return not is_gone(ProcessId(member.pid, member.start_ticks or 0), zombies_ok=False)
    return False


def run_command(
    backend: GroupKillBackend, argv: Sequence[str], *, timeout_s: float | None = None, grace_s: float = 5.0
) -> RunResult:
    """Run `argv` with our stdin, stdout and stderr, wait for it, and end every process that it leaves.

    Call it in the main thread of a process that does nothing else: it takes the signals and the orphans.

    Args:
        backend: what ends the group.
        argv: the command.
        timeout_s: seconds after which the group is ended; None is for ever.
        grace_s: seconds between a request to end (time-out, signal, the command's own end) and SIGKILL.

    Raises:
        StartError: the command could not be started.
    """
    inbox = _Inbox()
    _adopt_orphans()
    lent = _has_terminal()
    # The command takes the terminal itself, before its exec: given to it afterwards, it might have read before and been
    # stopped for ever by SIGTTIN.
    options: SpawnOptions = {"foreground": True} if lent else {}
    with _handlers(inbox), _terminal_taken_back(lent), backend.spawn(argv, **options) as group:
        request, timed_out = _wait(group, inbox, None if timeout_s is None else time.monotonic() + timeout_s)
        number = request or int(signal.SIGTERM)
        outlived = () if request or timed_out else group.members()
        report = group.terminate(number, grace_s=grace_s, deadline_s=grace_s + 30.0)
        code = group.returncode
        _wait_for_orphans(group, report)
    return RunResult(-int(signal.SIGTERM) if code is None else code, timed_out, request, outlived, report)


def _wait(group: ProcessGroup, inbox: _Inbox, deadline: float | None) -> tuple[int | None, bool]:
    """Wait for the command; returns the signal that asked for its end, and whether the time is over."""
    ending = {getattr(signal, name) for name in ENDING if hasattr(signal, name)}
    while True:
        left = SLICE_S if deadline is None else min(SLICE_S, max(0.0, deadline - time.monotonic()))
        with contextlib.suppress(TimeoutError):
            group.wait(left)
            return None, False
        while inbox.numbers:
            number = inbox.numbers.pop(0)
            if number in ending:
                return number, False
            group.send_signal(number, leader_only=True)
        if deadline is not None and time.monotonic() >= deadline:
            return None, True
        _reap_orphans(group.pid)
