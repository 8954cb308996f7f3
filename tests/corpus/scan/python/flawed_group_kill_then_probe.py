# flawed: check-before-exit
# why: the group gets SIGTERM, the leader is reaped, but the grandchild is probed once and at once
import os
import signal
import subprocess

import pytest


def test_abort_kills_whole_group():
    proc = subprocess.Popen(
        ["bash", "-c", "sleep 30 & echo $!; wait"],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    grandchild = int(proc.stdout.readline())
    os.killpg(os.getpgid(proc.pid), signal.SIGTERM)
    proc.wait(timeout=10)
    with pytest.raises(ProcessLookupError):
        os.kill(grandchild, 0)
