# flawed: zombie-counted-alive
# why: nobody reaps the child, so kill(pid, 0) finds its zombie until the deadline
import os
import signal
import subprocess
import time


def pid_running(pid):
    try:
        os.kill(pid, 0)
        return True
    except OSError:
        return False


def test_kill_worker():
    worker = subprocess.Popen(["sleep", "100"])
    os.kill(worker.pid, signal.SIGKILL)
    deadline = time.time() + 5
    while pid_running(worker.pid) and time.time() < deadline:
        time.sleep(0.1)
    assert not pid_running(worker.pid)
