# flawed: signal-before-ready
# why: SIGUSR1 is sent before the child can have set its handler
import os
import signal
import subprocess
import sys

CHILD = """
import signal, sys, time
def dump(*_):
    print("dumped", flush=True)
    sys.exit(0)
signal.signal(signal.SIGUSR1, dump)
time.sleep(60)
"""


def test_usr1_dumps_state():
    child = subprocess.Popen([sys.executable, "-c", CHILD], stdout=subprocess.PIPE)
    os.kill(child.pid, signal.SIGUSR1)
    out, _ = child.communicate(timeout=30)
    assert out == b"dumped\n"
