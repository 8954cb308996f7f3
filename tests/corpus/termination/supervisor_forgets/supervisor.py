"""A container of processes: passes SIGTERM on to its worker and ends 15 ms later, without a wait for the worker."""

import os
import signal
import time

worker = os.posix_spawnp("sleep", ["sleep", "30"], os.environ)
# From here on SIGTERM is kept until sigwait takes it; the worker was started before, with the signal unblocked.
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
print(worker, flush=True)
signal.sigwait({signal.SIGTERM})
os.kill(worker, signal.SIGTERM)
time.sleep(0.015)
