"""The pool of background jobs."""

import os
import select
import subprocess

import pytest

from jobkeeper.pool import Pool


@pytest.fixture
def pool():
    pool = Pool()
    yield pool
    pool.close()


def test_killed_job_leaves_the_process_table(pool):
    pid = pool.start(["sleep", "30"])
    exit_of = os.pidfd_open(pid)
    pool.kill(pid)
    select.select([exit_of], [], [])
    os.close(exit_of)
    listed = subprocess.run(["ps", "-o", "pid=,stat=,args=", "-p", str(pid)], capture_output=True, text=True).stdout
    assert listed == "", f"ps still lists the killed job: {listed.strip()}"


def test_exit_code_is_kept(pool):
    pid = pool.start(["sh", "-c", "exit 7"])
    assert pool.wait(pid, timeout_s=20) == 7


def test_wait_for_a_running_job_times_out(pool):
    pid = pool.start(["sleep", "30"])
    with pytest.raises(TimeoutError, match="has not ended"):
        pool.wait(pid, timeout_s=0.01)
