# flawed: deadline-too-short
# why: the poll's `else` fails the test after a second, in which a loaded machine may not have ended the grandchild
def test_child_gone(tmp_path):
    proc = subprocess.Popen(["sh", "-c", f"sleep 300 & echo $! > {tmp_path}/pid; wait"], start_new_session=True)
    pid = int(wait_for_text(tmp_path / "pid"))
    os.killpg(proc.pid, signal.SIGKILL)
    proc.wait()
    deadline = time.monotonic() + 1
    while time.monotonic() < deadline:
        if not psutil.pid_exists(pid):
            break
        time.sleep(0.05)
    else:
        pytest.fail("child lives")
