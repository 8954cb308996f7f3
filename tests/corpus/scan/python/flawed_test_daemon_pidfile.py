# flawed: fixed-sleep
# why: half a second after SIGTERM the pid file has to be gone
import os
import signal
import subprocess
import time
from pathlib import Path


def test_pidfile_removed(tmp_path):
    pidfile = tmp_path / "daemon.pid"
    daemon = subprocess.Popen(["mydaemon", "--pidfile", str(pidfile)], stdout=subprocess.PIPE)
    assert daemon.stdout.readline() == b"ready\n"
    os.kill(daemon.pid, signal.SIGTERM)
    time.sleep(0.5)
    assert not pidfile.exists()
