# correct
# why: the whole session is killed, and the member is polled with a deadline
import os
import signal
import subprocess
import time


def test_cancel_stops_the_command():
    proc = subprocess.Popen(
        "sleep 300 & echo $!; wait", shell=True, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    child_pid = int(proc.stdout.readline())
    os.killpg(os.getpgid(proc.pid), signal.SIGTERM)
    proc.wait(timeout=10)
    deadline = time.monotonic() + 10
    while os.path.exists(f"/proc/{child_pid}"):
        assert time.monotonic() < deadline
        time.sleep(0.05)
