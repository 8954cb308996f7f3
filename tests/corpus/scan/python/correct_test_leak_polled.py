# correct
# why: the list is asked for until it is empty
import subprocess
import time


def left_over():
    listed = subprocess.check_output("ps aux | grep trainer-7c1 | grep -v grep || true", shell=True)
    return listed


def test_stop_leaves_nothing(trainer):
    trainer.start()
    trainer.stop()
    deadline = time.monotonic() + 60
    while left_over():
        assert time.monotonic() < deadline
        time.sleep(0.05)
