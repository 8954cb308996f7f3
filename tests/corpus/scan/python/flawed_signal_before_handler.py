# flawed: signal-before-ready
# why: SIGTERM can arrive before the interpreter has run signal.signal()
import signal
import subprocess
import sys

SCRIPT = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *a: sys.exit(42))
time.sleep(60)
"""


def test_handler_sets_exit_code():
    proc = subprocess.Popen([sys.executable, "-c", SCRIPT])
    proc.send_signal(signal.SIGTERM)
    assert proc.wait(timeout=30) == 42
