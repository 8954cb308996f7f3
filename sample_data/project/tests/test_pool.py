"""The pool of background jobs."""

import os
import select

import pytest

from jobkeeper.job import describe
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
    listed = describe(pid)
    os.close(exit_of)
    assert listed == f"{pid}: gone", f"the killed job is still in the process table: {listed}"


def test_exit_code_and_cpu_time_are_kept(pool):
    pid = pool.start(["sh", "-c", "exit 7"])
    ended = pool.wait(pid, timeout_s=20)
    assert ended.code == 7
    assert 0 <= ended.cpu_s < 20


def test_wait_for_a_running_job_times_out(pool):
    pid = pool.start(["sleep", "30"])
    with pytest.raises(TimeoutError, match="has not ended"):
        pool.wait(pid, timeout_s=0.01)
