# flawed: check-before-exit
# why: the list of all pids is read right after the signal
def test_not_listed(pool):
    worker = subprocess.Popen(["worker"])
    os.kill(worker.pid, signal.SIGKILL)
    assert worker.pid not in psutil.pids()
