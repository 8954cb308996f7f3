# flawed: survivor
# why: terminate() reaches only the shell of shell=True; the sleep it started lives on
import subprocess
import time


def test_cancel_stops_the_command():
    proc = subprocess.Popen("sleep 300 & echo $!; wait", shell=True, stdout=subprocess.PIPE, text=True)
    child_pid = int(proc.stdout.readline())
    proc.terminate()
    proc.wait(timeout=10)
    deadline = time.monotonic() + 10
    while is_running(child_pid):
        assert time.monotonic() < deadline, "the sleep is still there"
        time.sleep(0.1)


def is_running(pid):
    import psutil

    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
