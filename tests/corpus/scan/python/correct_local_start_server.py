# correct
# why: the helper only has the name of a library's function that binds; the first server is waited for
import subprocess
import sys


def start_server(port):
    return subprocess.Popen([sys.executable, "-m", "http.server", str(port)])


def test_restart(free_port):
    server = start_server(free_port)
    server.kill()
    server.wait()
    other = start_server(free_port)
    other.kill()
    other.wait()
