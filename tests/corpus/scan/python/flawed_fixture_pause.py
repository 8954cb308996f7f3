# flawed: fixed-sleep
# why: the fixture pauses where it should poll the port, and the test connects
import socket
import subprocess
import time

import pytest


@pytest.fixture
def server():
    process = subprocess.Popen(["echo-server", "--port", "7007"])
    time.sleep(1)
    yield process
    process.kill()
    process.wait()


def test_echo(server):
    with socket.create_connection(("localhost", 7007)) as connection:
        connection.sendall(b"hello")
        assert connection.recv(5) == b"hello"
