# correct
# why: Popen.poll() in the loop reaps the child, so no zombie is left to be found
import subprocess
import time


def test_kill_worker():
    worker = subprocess.Popen(["sleep", "100"])
    worker.kill()
    deadline = time.time() + 5
    while worker.poll() is None and time.time() < deadline:
        time.sleep(0.1)
    assert worker.poll() is not None
