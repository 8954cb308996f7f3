# correct
# why: a child that is slow to start lives too; only one that ends early fails this
import subprocess
import time


def test_stays_up():
    child = subprocess.Popen(["./stays"])
    time.sleep(1)
    assert child.poll() is None
    child.kill()
    child.wait()


def test_stays_up_or_says_why():
    child = subprocess.Popen(["./stays"])
    time.sleep(1)
    if child.poll() is not None:
        raise RuntimeError("ended early")
    child.kill()
    child.wait()
