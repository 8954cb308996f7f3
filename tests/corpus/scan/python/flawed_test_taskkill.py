# flawed: check-before-exit
# why: taskkill and psutil in the next line
import subprocess
import sys

import psutil
import pytest


@pytest.mark.skipif(sys.platform != "win32", reason="windows only")
def test_taskkill_tree():
    proc = subprocess.Popen(["cmd", "/c", "ping -n 100 127.0.0.1"])
    subprocess.run(["taskkill", "/F", "/T", "/PID", str(proc.pid)], check=True)
    assert not psutil.pid_exists(proc.pid)
