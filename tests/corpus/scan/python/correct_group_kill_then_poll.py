# correct
# why: the grandchild is probed again and again until a deadline, with a pause between the probes
import os
import signal
import subprocess
import time


def _alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_abort_kills_whole_group():
    proc = subprocess.Popen(
        ["bash", "-c", "sleep 30 & echo $!; wait"],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    grandchild = int(proc.stdout.readline())
    os.killpg(proc.pid, signal.SIGTERM)
    proc.wait(timeout=10)
    deadline = time.monotonic() + 10
    while _alive(grandchild):
        if time.monotonic() > deadline:
            raise AssertionError("grandchild survived")
        time.sleep(0.05)
    assert not _alive(grandchild)
