# correct
# why: a line of the child says that the handler is set before it is signalled
import os
import signal
import subprocess
import sys

CHILD = """
import signal, sys, time
signal.signal(signal.SIGUSR1, lambda *_: sys.exit(0))
print("ready", flush=True)
time.sleep(60)
"""


def test_usr1_ends_it():
    with subprocess.Popen([sys.executable, "-c", CHILD], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout.readline() == "ready\n"
        os.kill(child.pid, signal.SIGUSR1)
        assert child.wait(timeout=30) == 0
