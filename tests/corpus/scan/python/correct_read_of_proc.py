# correct
# why: what is read from /proc is compared, it is read of a live process
import os
import signal
import time


def open_files(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def test_reload_leaks_nothing(server):
    before = open_files(server.pid)
    for _ in range(3):
        os.kill(server.pid, signal.SIGHUP)
        time.sleep(1)
    after = open_files(server.pid)
    assert after <= before + 1
