# correct
# why: the child is waited for before it is asked for
import os
import subprocess

import pytest


def test_kill_ends_the_child():
    child = subprocess.Popen(["sleep", "60"])
    child.kill()
    child.wait()
    try:
        os.kill(child.pid, 0)
    except ProcessLookupError:
        return
    pytest.fail("the child lives on")
