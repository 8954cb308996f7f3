"""The pool of background jobs, looked at after a job was reaped."""

import signal

from jobkeeper.job import describe
from jobkeeper.pool import Pool


def test_killed_job_leaves_the_process_table_once_reaped():
    pool = Pool()
    pid = pool.start(["sleep", "30"])
    pool.kill(pid)
    ended = pool.wait(pid, timeout_s=20)
    listed = describe(pid)
    pool.close()
    assert ended.code == -signal.SIGKILL
    assert listed == f"{pid}: gone", f"the killed job is still in the process table: {listed}"
