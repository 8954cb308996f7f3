"""Holds a lock file, and removes it on SIGTERM; the wake-up pipe ends the read, so that no signal is lost."""

import os
import signal
import sys

r, w = os.pipe()
os.set_blocking(w, False)
signal.set_wakeup_fd(w)
signal.signal(signal.SIGTERM, lambda *_: None)
os.close(os.open(sys.argv[1], os.O_CREAT | os.O_EXCL | os.O_WRONLY))
print("ready", flush=True)
os.read(r, 1)
os.unlink(sys.argv[1])  # noqa: PTH108
