"""The pool of background jobs, looked at after a job was reaped."""

import signal
import subprocess

from jobkeeper.pool import Pool


def test_killed_job_leaves_the_process_table_once_reaped():
    pool = Pool()
    pid = pool.start(["sleep", "30"])
    pool.kill(pid)
    assert pool.wait(pid, timeout_s=20) == -signal.SIGKILL
    listed = subprocess.run(["ps", "-o", "pid=,stat=,args=", "-p", str(pid)], capture_output=True, text=True).stdout
    pool.close()
    assert listed == "", f"ps still lists the killed job: {listed.strip()}"
