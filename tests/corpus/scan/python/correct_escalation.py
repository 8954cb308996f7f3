# correct
# why: the short wait only decides whether to escalate; the last wait has no limit
import subprocess


def stop(proc):
    proc.terminate()
    try:
        proc.wait(timeout=0.5)
    except subprocess.TimeoutExpired:
        proc.kill()
        proc.wait()


def test_stop():
    proc = subprocess.Popen(["sleep", "60"])
    stop(proc)
    assert proc.poll() is not None
