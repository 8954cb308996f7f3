"""A container of processes: passes SIGTERM on to its worker and ends 15 ms later, without a wait for the worker."""

import signal
import subprocess
import time

worker = subprocess.Popen(["sleep", "30"])
# From here on SIGTERM is kept until sigwait takes it; the worker was started before, with the signal unblocked.
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
print(worker.pid, flush=True)
signal.sigwait({signal.SIGTERM})
worker.terminate()
time.sleep(0.015)
