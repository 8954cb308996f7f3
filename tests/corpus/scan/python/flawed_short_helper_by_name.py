# flawed: deadline-too-short
# why: what the helper does is not at hand, but that it gives up after 0.4 s is
import os
import signal

from proctools import wait_until_gone


def test_worker_ends(worker_pid):
    os.kill(worker_pid, signal.SIGTERM)
    assert wait_until_gone(worker_pid, timeout=0.4)
