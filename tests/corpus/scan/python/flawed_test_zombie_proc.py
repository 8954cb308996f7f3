# flawed: zombie-counted-alive
# why: polls /proc for an own child that nobody reaps
import os
import signal
import subprocess
import time


def test_child_is_gone_from_proc():
    child = subprocess.Popen(["sleep", "100"])
    os.kill(child.pid, signal.SIGKILL)
    for _ in range(100):
        if not os.path.isdir("/proc/%d" % child.pid):
            break
        time.sleep(0.1)
    else:
        raise AssertionError("child never went away")
