# correct
# why: the helper may wait for half a minute
import os
import signal

from proctools import wait_until_gone


def test_worker_ends(worker_pid):
    os.kill(worker_pid, signal.SIGTERM)
    assert wait_until_gone(worker_pid, timeout=30)
