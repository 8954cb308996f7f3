# correct
# why: the caller gives more than the default
def wait_gone(pid, timeout=1.0):
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if not psutil.pid_exists(pid):
            return True
        time.sleep(0.02)
    return False

def test_group(daemon):
    os.kill(daemon.pid, signal.SIGTERM)
    assert wait_gone(daemon.pid, timeout=20)
