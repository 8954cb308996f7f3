# correct
# why: the poll is short, and what it does not see end is killed
import os
import signal
import time


def end_orphan(pid, path):
    os.kill(pid, signal.SIGTERM)
    for _ in range(10):
        time.sleep(0.1)
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            break
    else:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    path.unlink(missing_ok=True)
