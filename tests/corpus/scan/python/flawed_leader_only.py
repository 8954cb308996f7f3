# flawed: survivor
# why: only the shell gets SIGTERM; the sleep it started in the background never does
import os
import subprocess
import time


def gone(pid):
    try:
        os.kill(pid, 0)
        return False
    except ProcessLookupError:
        return True


def test_terminate_ends_everything():
    shell = subprocess.Popen(["sh", "-c", "sleep 60 & echo $!; wait"], stdout=subprocess.PIPE)
    pid = int(shell.stdout.readline())
    shell.terminate()
    shell.wait()
    for _ in range(100):
        if gone(pid):
            break
        time.sleep(0.1)
    else:
        raise AssertionError(f"{pid} survived")
