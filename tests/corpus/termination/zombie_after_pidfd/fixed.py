"""A pidfd says that the process has ended, and that is all the test asks for, for at most 5 s."""

import os
import select
import signal
import subprocess
import sys

# bash reaps its child in `wait`, and ends when the test closes its input.
PARENT = 'sleep 30 & n=; until [ "$n" = sleep ]; do read -r n </proc/$!/comm; done; echo $!; wait; read -r _'

parent = subprocess.Popen(["bash", "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
worker = int(parent.stdout.readline())
pidfd = os.pidfd_open(worker)
os.kill(worker, signal.SIGTERM)
ended = select.select([pidfd], [], [], 5)[0]
parent.stdin.close()
parent.wait()
if not ended:
    sys.exit(f"process {worker} (sleep 30) is still alive after 5 s")
