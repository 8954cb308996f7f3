"""Poll until the process runs no more; 25 ms later its /proc entry must be gone, though only a reaped pid's is."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

# bash reaps its child in `wait`, and ends when the test closes its input.
PARENT = 'sleep 30 & n=; until [ "$n" = sleep ]; do read -r n </proc/$!/comm; done; echo $!; wait; read -r _'


def gone(pid: int) -> bool:
    """Whether the process has ended; a zombie has."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
    return stat.rpartition(")")[2].split()[0] in "ZX"


parent = subprocess.Popen(["bash", "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
worker = int(parent.stdout.readline())
os.kill(worker, signal.SIGTERM)
deadline = time.monotonic() + 5
while not gone(worker) and time.monotonic() < deadline:
    time.sleep(0.005)
time.sleep(0.025)
left = Path(f"/proc/{worker}").exists()
parent.stdin.close()
parent.wait()
if left:
    sys.exit(f"process {worker} (sleep 30) is still in /proc")
