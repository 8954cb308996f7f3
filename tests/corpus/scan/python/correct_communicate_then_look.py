# correct
# why: communicate() reads to the end and reaps the child
import os
import subprocess

import pytest


def test_interrupt_prints_summary():
    proc = subprocess.Popen(["pytest", "-x"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    proc.stdout.readline()
    proc.terminate()
    out, _ = proc.communicate()
    assert b"terminated" in out
    with pytest.raises(OSError):
        os.kill(proc.pid, 0)
