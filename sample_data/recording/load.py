"""The load a job runs under: hogs in sessions of their own, or a CPU quota."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

CPU_CONTROLLER = Path("/sys/fs/cgroup/cpu")
PERIOD_US = 100_000
# A hog ends with its parent (PR_SET_PDEATHSIG of prctl(2)), so that a killed recording leaves none behind.
HOG = """
import ctypes, os
ctypes.CDLL(None).prctl(1, 9, 0, 0, 0)
while os.getppid() == {parent}:
    sum(range(10**6))
"""


@contextlib.contextmanager
def hogs(number: int) -> Iterator[None]:
    """Keep `number` processes busy."""
    # A session each: autogroup (sched(7)) shares the CPUs among sessions first, so hogs of one session would
    # together weigh no more than the job.
    argv = [sys.executable, "-S", "-c", HOG.format(parent=os.getpid())]
    started = [subprocess.Popen(argv, stdin=subprocess.DEVNULL, start_new_session=True) for _ in range(number)]
    try:
        yield
    finally:
        for hog in started:
            os.killpg(hog.pid, signal.SIGKILL)
        for hog in started:
            hog.wait()


def quota_works() -> bool:
    """Say whether this machine lets us set a CPU quota: cgroup v1 `cpu`, as root."""
    try:
        with quota(50, "probe"):
            return True
    except OSError:
        return False


@contextlib.contextmanager
def quota(percent: int, name: str) -> Iterator[Path]:
    """Make a cgroup that gets `percent` of one CPU in each period of 100 ms; gives its file for the tasks in it.

    Raises:
        OSError: there is no cgroup v1 `cpu` controller here, or it is not ours to use.
    """
    group = CPU_CONTROLLER / f"jobkeeper-{os.getpid()}-{name}"
    group.mkdir()
    try:
        (group / "cpu.cfs_period_us").write_text(str(PERIOD_US))
        (group / "cpu.cfs_quota_us").write_text(str(PERIOD_US * percent // 100))
        yield group / "tasks"
    finally:
        group.rmdir()
