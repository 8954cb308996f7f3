# correct
# why: when the look still finds it, the other half of the condition waits
import subprocess
import sys
import time

import psutil


def until_gone(pid):
    end = time.monotonic() + 10
    while time.monotonic() < end:
        if not psutil.pid_exists(pid):
            return True
        time.sleep(0.05)
    return False


def test_tree_is_ended(end_tree):
    proc = subprocess.Popen([sys.executable, "-c", "pass"])
    try:
        end_tree(proc.pid, grace=5)
        assert not psutil.pid_exists(proc.pid) or until_gone(proc.pid)
    finally:
        proc.wait(timeout=10)
