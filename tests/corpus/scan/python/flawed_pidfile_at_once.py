# flawed: signal-before-ready
# why: the pid file is read before the daemon can have written it
import os
import signal
import subprocess


def test_reload(tmp_path):
    pid_file = tmp_path / "gunicorn.pid"
    server = subprocess.Popen(["gunicorn", "--pid", str(pid_file), "app:app"])
    pid = int(pid_file.read_text())
    os.kill(pid, signal.SIGHUP)
    server.terminate()
    server.wait()
