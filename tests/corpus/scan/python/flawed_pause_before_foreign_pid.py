# flawed: fixed-sleep
# why: nothing here signals the worker, a pause stands for its end all the same
import time

import psutil
from runner import supervise


def test_worker_of_a_timed_out_job_is_gone(tmp_path):
    job = {"script": "work.py", "limit_s": 1, "folder": str(tmp_path)}
    outcome = supervise(job)
    assert outcome == "timed out"
    pid = int((tmp_path / "worker.pid").read_text())
    time.sleep(0.2)
    assert not psutil.pid_exists(pid)
