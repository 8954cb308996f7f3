"""SIGTERM to a supervisor, wait for it, look at its worker until it is gone, for at most 5 s."""

import subprocess
import sys
import time
from pathlib import Path


def gone(pid: int) -> bool:
    """Whether the process has ended; a zombie has."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
    return stat.rpartition(")")[2].split()[0] in "ZX"


supervisor = subprocess.Popen(
    [sys.executable, "-I", Path(__file__).with_name("supervisor.py")], stdout=subprocess.PIPE, text=True
)
worker = int(supervisor.stdout.readline())
supervisor.terminate()
supervisor.wait()
deadline = time.monotonic() + 5
while not gone(worker):
    if time.monotonic() > deadline:
        sys.exit(f"process {worker} (sleep 30) is still alive after 5 s")
    time.sleep(0.01)
