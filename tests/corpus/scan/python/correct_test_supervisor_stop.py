# correct
# why: polls psutil until the worker's pid is gone, 15 s at most
import time

import psutil


def wait_until(predicate, timeout=15.0):
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        if predicate():
            return True
        time.sleep(0.05)
    return False


def test_stop_ends_the_worker(supervisor):
    pid = supervisor.worker_pid
    supervisor.stop_worker()
    assert wait_until(lambda: not psutil.pid_exists(pid))
