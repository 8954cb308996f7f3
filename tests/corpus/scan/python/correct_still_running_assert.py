# correct
# why: the look demands that the process lives: SIGUSR1 must not end it
import os
import signal
import subprocess


def test_survives_usr1(ready_server):
    proc = ready_server
    proc.send_signal(signal.SIGUSR1)
    assert proc.poll() is None
    os.kill(proc.pid, 0)
    proc.kill()
    proc.wait()
