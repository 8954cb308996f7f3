"""SIGTERM to a supervisor, wait for it, look at its worker at once: the supervisor has not waited for it."""

import subprocess
import sys
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
if not gone(worker):
    sys.exit(f"worker {worker} (sleep 30) is still alive")
