# correct
# why: the first server is reaped before its port is used again
import socket
import subprocess
import sys


def test_restart(free_port):
    port = free_port
    server = subprocess.Popen([sys.executable, "-m", "http.server", str(port)])
    server.terminate()
    server.wait(timeout=30)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", port))
