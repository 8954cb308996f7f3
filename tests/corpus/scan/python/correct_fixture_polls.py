# correct
# why: the fixture polls the port before the test connects
import socket
import subprocess
import time

import pytest


@pytest.fixture
def server():
    process = subprocess.Popen(["echo-server", "--port", "7007"])
    for _ in range(200):
        try:
            socket.create_connection(("localhost", 7007)).close()
            break
        except ConnectionRefusedError:
            time.sleep(0.1)
    yield process
    process.kill()
    process.wait()


def test_echo(server):
    with socket.create_connection(("localhost", 7007)) as connection:
        connection.sendall(b"hello")
        assert connection.recv(5) == b"hello"
