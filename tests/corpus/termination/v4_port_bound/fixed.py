"""SIGTERM to the group of a server, wait for its leader, try the port until it is free, for at most 5 s."""

import os
import signal
import socket
import subprocess
import sys
import time

SERVER = """
import signal, socket
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
signal.pause()
"""
# The server is the shell's child; `true` at the end keeps the shell from becoming the server itself.
LEADER = ["bash", "-c", '"$0" -I -S -c "$1" & wait; true', sys.executable, SERVER]

leader = subprocess.Popen(LEADER, stdout=subprocess.PIPE, text=True, start_new_session=True)
port = int(leader.stdout.readline())
os.killpg(leader.pid, signal.SIGTERM)
leader.wait()
deadline = time.monotonic() + 5
while True:
    with socket.socket() as again:
        try:
            again.bind(("127.0.0.1", port))
            break
        except OSError as error:
            if time.monotonic() > deadline:
                sys.exit(f"port {port} cannot be bound again after 5 s: {error.strerror}")
    time.sleep(0.01)
