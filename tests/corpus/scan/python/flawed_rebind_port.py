# flawed: resource-still-held
# why: the second server binds the port while the first one may still hold it
import subprocess
import sys


def start(port):
    return subprocess.Popen([sys.executable, "-m", "http.server", str(port)])


def test_restart(free_port):
    port = free_port
    server = subprocess.Popen([sys.executable, "-m", "http.server", str(port)])
    server.terminate()
    server = subprocess.Popen([sys.executable, "-m", "http.server", str(port)])
    try:
        assert server.wait(timeout=10) is None
    finally:
        server.kill()
        server.wait()
