# correct
# why: the poll treats a zombie as gone
import time

import psutil


def is_gone(pid):
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_orphan_dies(orphan_pid, killer):
    killer.kill(orphan_pid)
    end = time.monotonic() + 15
    while not is_gone(orphan_pid):
        assert time.monotonic() < end, "orphan still there"
        time.sleep(0.02)
