# correct
# why: how long it is asked before force is used is no wait of the test
import os
import signal

from tool.proc import is_running, start_deaf, stop_process


def test_force_is_used_in_the_end():
    pid = start_deaf()
    os.kill(pid, signal.SIGTERM)
    assert is_running(pid)
    assert stop_process(pid, 0.5) == "killed"
