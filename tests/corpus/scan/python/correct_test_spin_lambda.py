# correct
# why: the helper calls what it is given until it holds: the children are there, then the leader is gone
import signal
import subprocess
import time

import psutil


def spin_wait(condition, seconds):
    for _ in range(100):
        if condition():
            return
        time.sleep(seconds / 100)
    assert False, "never held"


def test_group_gets_the_signal(init):
    leader = subprocess.Popen([init, "-g", "stage_one"])
    spin_wait(lambda: len(psutil.Process(leader.pid).children()) == 2, 30)
    leader.send_signal(signal.SIGUSR1)
    spin_wait(lambda: leader.poll() is not None, 30)
    assert leader.returncode == 0
