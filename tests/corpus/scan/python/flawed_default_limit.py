# flawed: deadline-too-short
# why: the limit is what the helper's parameter is when it is not given
def wait_gone(pid, timeout=1.0):
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.02)
    return False

def test_group(tmp_path):
    proc = subprocess.Popen(["sh", "-c", "sleep 99 & echo $!; wait"], stdout=subprocess.PIPE, text=True, start_new_session=True)
    child = int(proc.stdout.readline())
    os.killpg(proc.pid, signal.SIGKILL)
    proc.wait()
    assert wait_gone(child)
