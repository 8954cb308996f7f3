"""SIGTERM to a daemon that removes its pid file, look for the file until it is gone, for at most 5 s."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

# The handler does its work when the main thread next runs; the wake-up pipe ends the read, so no signal is lost.
DAEMON = """
import os, signal, sys
r, w = os.pipe()
os.set_blocking(w, False)
signal.set_wakeup_fd(w)
signal.signal(signal.SIGTERM, lambda *_: None)
open(sys.argv[1], "w").write(str(os.getpid()))
print("ready", flush=True)
os.read(r, 1)
os.unlink(sys.argv[1])
"""

folder = tempfile.TemporaryDirectory()
pid_file = Path(folder.name, "daemon.pid")
daemon = subprocess.Popen([sys.executable, "-I", "-S", "-c", DAEMON, str(pid_file)], stdout=subprocess.PIPE, text=True)
daemon.stdout.readline()
daemon.terminate()
deadline = time.monotonic() + 5
while pid_file.exists():
    if time.monotonic() > deadline:
        daemon.wait()
        sys.exit(f"{pid_file.name} of process {daemon.pid} is still there after 5 s")
    time.sleep(0.01)
daemon.wait()
