"""A pidfd says that the process has ended; 25 ms later its /proc entry must be gone, though only a reaped pid's is."""

import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

# bash reaps its child in `wait`, and ends when the test closes its input.
PARENT = 'sleep 30 & n=; until [ "$n" = sleep ]; do read -r n </proc/$!/comm; done; echo $!; wait; read -r _'

parent = subprocess.Popen(["bash", "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
worker = int(parent.stdout.readline())
pidfd = os.pidfd_open(worker)
os.kill(worker, signal.SIGTERM)
select.select([pidfd], [], [])
time.sleep(0.025)
left = Path(f"/proc/{worker}").exists()
parent.stdin.close()
parent.wait()
if left:
    sys.exit(f"process {worker} (sleep 30) is still in /proc")
