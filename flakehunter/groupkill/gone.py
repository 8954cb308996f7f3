"""Wait until given processes are gone: for tests that know pids and nothing else."""

import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["GoneReport", "LookedAt", "NotGoneError", "assert_gone", "wait_gone"]

LONGEST_PAUSE_S = 0.05


@dataclass(frozen=True, slots=True)
class LookedAt:
    """What was seen of one pid: `state` is empty when it is gone, Z when it is dead but not reaped."""

    pid: int
    state: str
    argv: tuple[str, ...]
    gone_after_ms: float | None
    """When it was first seen to be gone (or a zombie, where these count as gone); None when it is not."""


@dataclass(frozen=True, slots=True)
class GoneReport:
    """The end of a wait; `attempts` counts the looks, so that a log shows how close it was."""

    processes: tuple[LookedAt, ...]
    attempts: int
    elapsed_ms: float
    zombies_ok: bool

    @property
    def left(self) -> tuple[LookedAt, ...]:
        """Return those that are not gone."""
        return tuple(process for process in self.processes if process.gone_after_ms is None)


class NotGoneError(AssertionError):
    """Processes are still there after the deadline; `report` says which and in what state."""

    def __init__(self, report: GoneReport) -> None:
        left = "; ".join(f"pid {p.pid} ({p.state}) {' '.join(p.argv)}".rstrip() for p in report.left)
        super().__init__(f"not gone after {report.elapsed_ms:.0f} ms and {report.attempts} looks: {left}")
        self.report = report


def _look(pid: int) -> tuple[object, str, tuple[str, ...]]:
    """Return (identity, state, argv) of the process that has `pid` now; identity None when there is none."""
    if sys.platform == "linux":
        from flakehunter.groupkill.linux.procfs import read_argv, read_stat

        stat = read_stat(pid)
        if stat is None:
            return None, "", ()
        state = "Z" if stat.is_dead else stat.state if stat.state != "Z" else "S"
        return stat.identity, state, read_argv(pid) or (f"[{stat.comm}]",)
    import psutil

    try:
        process = psutil.Process(pid)
        state = "Z" if process.status() == psutil.STATUS_ZOMBIE else "R"
        started = process.create_time()
    except psutil.NoSuchProcess:
        return None, "", ()
    except psutil.AccessDenied:
        return pid, "R", ()
    try:
        return (pid, started), state, tuple(process.cmdline())
    except (psutil.Error, OSError):  # a zombie has none
        return (pid, started), state, ()


def wait_gone(pids: Iterable[int], deadline_s: float = 5.0, *, zombies_ok: bool = False) -> GoneReport:
    """Look at each of `pids` until it is gone, at most for `deadline_s` seconds.

    A process that gets one of the numbers later is told apart by its start time. The calling process should have reaped
    its own children: an unreaped child is a zombie for as long as it likes.

    Raises:
        ValueError: a pid is not positive.
    """
    begin = time.monotonic()
    wanted = list(dict.fromkeys(pids))
    for pid in wanted:
        if pid <= 0:
            raise ValueError(f"not a process id: {pid}")
    seen = {pid: _look(pid) for pid in wanted}
    identities = {pid: looked[0] for pid, looked in seen.items()}
    gone: dict[int, float] = {}
    attempts, pause = 1, 0.0005
    while True:
        for pid in wanted:
            identity, state, _ = seen[pid]
            if pid not in gone and (identity is None or identity != identities[pid] or (zombies_ok and state == "Z")):
                gone[pid] = round((time.monotonic() - begin) * 1000, 3)
        left = [pid for pid in wanted if pid not in gone]
        now = time.monotonic()
        if not left or now >= begin + deadline_s:
            break
        time.sleep(min(pause, begin + deadline_s - now))
        pause = min(pause * 2, LONGEST_PAUSE_S)
        attempts += 1
        seen.update({pid: _look(pid) for pid in left})
    processes = tuple(
        LookedAt(pid, seen[pid][1] if seen[pid][0] == identities[pid] else "", seen[pid][2], gone.get(pid))
        for pid in wanted
    )
    return GoneReport(processes, attempts, round((time.monotonic() - begin) * 1000, 3), zombies_ok)


def assert_gone(pids: Iterable[int] | int, deadline_s: float = 5.0, *, zombies_ok: bool = False) -> GoneReport:
    """Wait until all `pids` are gone and return how long that took.

    Raises:
        NotGoneError: one is still there after `deadline_s` seconds; an AssertionError with pid, state and command.
    """
    report = wait_gone([pids] if isinstance(pids, int) else pids, deadline_s, zombies_ok=zombies_ok)
    if report.left:
        raise NotGoneError(report)
    return report
