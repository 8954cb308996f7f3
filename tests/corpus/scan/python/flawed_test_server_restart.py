# flawed: resource-still-held
# why: the server is killed and the same port is bound at once
import socket
import subprocess
import sys


def start_server(port):
    return subprocess.Popen([sys.executable, "-m", "http.server", str(port)])


def test_restart_on_the_same_port(free_port):
    server = start_server(free_port)
    wait_for_port(free_port)
    server.kill()
    listener = socket.socket()
    listener.bind(("127.0.0.1", free_port))
    listener.close()


def wait_for_port(port):
    import time

    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise AssertionError("the server never came up")
