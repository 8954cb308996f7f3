"""A pidfd says that the process has ended; 20 ms later kill(pid, 0) must fail, though only a reaped pid does."""

import os
import select
import signal
import subprocess
import sys
import time

# bash reaps its child in `wait`, and ends when the test closes its input.
PARENT = 'sleep 30 & n=; until [ "$n" = sleep ]; do read -r n </proc/$!/comm; done; echo $!; wait; read -r _'

parent = subprocess.Popen(["bash", "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
worker = int(parent.stdout.readline())
pidfd = os.pidfd_open(worker)
os.kill(worker, signal.SIGTERM)
select.select([pidfd], [], [])
time.sleep(0.02)
try:
    os.kill(worker, 0)
    alive = True
except ProcessLookupError:
    alive = False
parent.stdin.close()
parent.wait()
if alive:
    sys.exit(f"process {worker} (sleep 30) is still alive")
