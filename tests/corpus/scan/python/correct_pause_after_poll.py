# correct
# why: the pid is polled until it is gone, the pause after it is for good measure
import time

import psutil
from runner import supervise


def test_worker_of_a_timed_out_job_is_gone(tmp_path):
    supervise({"script": "work.py", "limit_s": 1})
    pid = int((tmp_path / "worker.pid").read_text())
    deadline = time.monotonic() + 30
    while psutil.pid_exists(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.1)
    assert not psutil.pid_exists(pid)
