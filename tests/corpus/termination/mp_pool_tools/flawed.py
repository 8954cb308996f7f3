"""A pool is terminated and joined; 20 ms later the tools of its workers are taken to be gone."""

import ctypes
import multiprocessing
import signal
import subprocess
import sys
import time
from pathlib import Path

PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)


def gone(pid: int) -> bool:
    """Whether the process has ended; a zombie has."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
    return stat.rpartition(")")[2].split()[0] in "ZX"


def end_with_the_worker() -> None:
    """Ask the kernel for a SIGTERM when the worker dies: prctl(2)."""
    LIBC.prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM))


def start_tool(_task: int) -> int:
    """Start a long-running tool in the worker and give its pid."""
    return subprocess.Popen(["sleep", "30"], preexec_fn=end_with_the_worker).pid  # noqa: PLW1509


pool = multiprocessing.get_context("fork").Pool(1)
[tool] = pool.map(start_tool, [1])
pool.terminate()
pool.join()
time.sleep(0.02)
if not gone(tool):
    sys.exit(f"process {tool} (sleep 30) is still alive")
