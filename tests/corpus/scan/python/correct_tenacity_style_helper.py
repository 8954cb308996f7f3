# correct
# why: eventually() calls the assertion again until it holds
import os
import signal
import time


def eventually(check, timeout=10.0):
    end = time.monotonic() + timeout
    while True:
        try:
            return check()
        except AssertionError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


def test_worker_is_killed(worker_pid):
    os.kill(worker_pid, signal.SIGKILL)

    def dead():
        assert not os.path.exists(f"/proc/{worker_pid}")

    eventually(dead)
    eventually(lambda: dead())
