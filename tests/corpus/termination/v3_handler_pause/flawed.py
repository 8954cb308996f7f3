"""SIGTERM to a child whose clean-up takes 20 ms, pause 50 ms, look once."""

import subprocess
import sys
import time

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
time.sleep(0.05)
if child.poll() is None:
    child.wait()
    sys.exit(f"process {child.pid} has not ended")
