# flawed: fixed-sleep
# why: the helper lists what is left right when it is called, after a pause of a guessed length
import subprocess
import time


def left_over():
    listed = subprocess.check_output("ps aux | grep trainer-7c1 | grep -v grep || true", shell=True)
    return listed


def test_stop_leaves_nothing(trainer):
    trainer.start()
    trainer.stop()
    time.sleep(5)
    left = left_over()
    assert not left
