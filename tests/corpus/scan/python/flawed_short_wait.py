# flawed: deadline-too-short
# why: 100 ms is less than a loaded machine needs to end a process
import subprocess


def test_stop_is_quick():
    proc = subprocess.Popen(["redis-server", "--port", "7777"])
    read_banner(proc)
    proc.terminate()
    proc.wait(timeout=0.1)


def read_banner(proc):
    return proc.pid
