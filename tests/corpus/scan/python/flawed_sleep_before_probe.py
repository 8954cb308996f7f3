# flawed: fixed-sleep
# why: half a second stands for the wait
import os
import signal
import subprocess
import time


def test_daemon_stops(tmp_path):
    daemon = subprocess.Popen(["./daemon", "--state", str(tmp_path)])
    wait_for_port(8125)
    daemon.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    assert daemon.poll() == 0


def wait_for_port(port):
    import socket

    while True:
        try:
            socket.create_connection(("localhost", port)).close()
            return
        except OSError:
            time.sleep(0.01)
