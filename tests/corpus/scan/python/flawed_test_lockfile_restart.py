# flawed: resource-still-held
# why: a second daemon with the same lock file right after SIGKILL
import subprocess


def start(lock_path):
    return subprocess.Popen(["daemon", "--lock", str(lock_path)], stdout=subprocess.PIPE)


def test_restart(tmp_path):
    lock_path = tmp_path / "daemon.lock"
    first = start(lock_path)
    assert first.stdout.readline() == b"ready\n"
    first.kill()
    second = start(lock_path)
    assert second.stdout.readline() == b"ready\n"
    second.kill()
    second.wait()
