"""The load a job runs under: hogs in sessions of their own, or a CPU quota."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

LOADS = ("idle", "hogs-2", "hogs-4", "hogs-8", "quota-40")
"""Nothing; N busy processes; at most 40 % of one CPU in each period of 100 ms (cgroup v1 `cpu`, needs root)."""

CPU_CONTROLLER = Path("/sys/fs/cgroup/cpu")
# A hog ends with its parent (PR_SET_PDEATHSIG), so that a killed recording leaves none behind.
HOG = "import ctypes, os\nctypes.CDLL(None).prctl(1, 9, 0, 0, 0)\nwhile os.getppid() == {parent}:\n    sum(range(10**6))\n"


def quota_works() -> bool:
    """Say whether a CPU quota can be set on this machine."""
    return _can_make_group()


def _can_make_group() -> bool:
    probe = CPU_CONTROLLER / f"jobkeeper-probe-{os.getpid()}"
    try:
        probe.mkdir()
        works = (probe / "cpu.cfs_quota_us").exists()
        probe.rmdir()
    except OSError:
        return False
    return works


@contextlib.contextmanager
def under(load: str) -> Iterator[Path | None]:
    """Keep `load` up; gives the `tasks` file of a cgroup that the job must enter, if the load is a quota."""
    kind, _, amount = load.partition("-")
    if kind == "quota":
        with _quota(int(amount)) as tasks_file:
            yield tasks_file
        return
    hogs = [_start_hog() for _ in range(int(amount or 0))]
    try:
        yield None
    finally:
        for hog in hogs:
            os.killpg(hog.pid, signal.SIGKILL)
            hog.wait()


def _start_hog() -> "subprocess.Popen[bytes]":
    # A session each: autogroup (sched(7)) shares the CPUs among sessions first, so hogs of one session would
    # together weigh no more than the job.
    code = HOG.format(parent=os.getpid())
    return subprocess.Popen([sys.executable, "-S", "-c", code], stdin=subprocess.DEVNULL, start_new_session=True)


@contextlib.contextmanager
def _quota(percent: int) -> Iterator[Path]:
    group = CPU_CONTROLLER / f"jobkeeper-{os.getpid()}"
    group.mkdir()
    try:
        (group / "cpu.cfs_period_us").write_text("100000")
        (group / "cpu.cfs_quota_us").write_text(str(percent * 1000))
        yield group / "tasks"
    finally:
        group.rmdir()
