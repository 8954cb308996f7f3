"""SIGTERM to a child whose clean-up takes 20 ms, wait for it, for at most 5 s."""

import subprocess
import sys

# The child blocks SIGTERM and takes it with sigwait: there is no moment at which the signal could be lost.
CHILD = """
import signal, time
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
print("ready", flush=True)
signal.sigwait({signal.SIGTERM})
time.sleep(0.02)  # the clean-up
"""

child = subprocess.Popen([sys.executable, "-I", "-S", "-c", CHILD], stdout=subprocess.PIPE, text=True)
child.stdout.readline()
child.terminate()
try:
    child.wait(timeout=5)
except subprocess.TimeoutExpired:
    child.wait()
    sys.exit(f"process {child.pid} has not ended after 5 s")
