# flawed: survivor
# why: setsid takes the inner process out of the group that is signalled
import os
import signal
import subprocess


def test_cleanup(wait_until_gone):
    proc = subprocess.Popen("setsid sleep 300 & echo $!; wait", shell=True, stdout=subprocess.PIPE, start_new_session=True)
    inner = int(proc.stdout.readline().strip())
    os.killpg(proc.pid, signal.SIGKILL)
    proc.wait()
    assert not pid_alive(inner)


def pid_alive(pid):
    return os.path.exists(f"/proc/{pid}")
