# correct
# why: who was killed first is not the owner of the lock that is looked at later
import os
import signal
import sys
import time
from pathlib import Path


def clean_up(leftovers):
    for pid in leftovers:
        os.kill(int(pid), signal.SIGTERM)
        time.sleep(1)
    lock = Path("/var/lock/burner.lock")
    if lock.exists():
        with open(lock) as stream:
            pid = int(stream.read().strip())
        try:
            os.kill(pid, 0)
            print("another burner runs")
            sys.exit(1)
        except ProcessLookupError:
            lock.unlink()
