# flawed: signal-before-ready, fixed-sleep
# why: the function that starts the child knows its script, and only pauses until its handler is set
import subprocess
import sys
import time

from fleet import terminate


def start_deaf() -> subprocess.Popen:
    script = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
    child = subprocess.Popen([sys.executable, "-c", script])
    time.sleep(0.2)
    return child


def test_force_is_used_when_asking_does_not_help():
    child = start_deaf()
    assert terminate(child.pid, grace_s=0.5).forced
    child.wait()
