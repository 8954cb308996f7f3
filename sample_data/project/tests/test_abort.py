"""Aborting a job ends everything it has started."""

import os
import signal
import time

import pytest

from jobkeeper.job import Job, describe, is_alive, is_running


def test_abort_ends_the_command():
    job = Job(["sleep", "30"])
    assert job.abort() == -signal.SIGTERM


def test_abort_ends_the_grandchild():
    job = Job(["bash", "-c", "sleep 30 & echo $!; wait"])
    grandchild = int(job.first_line())
    job.abort()
    assert not is_alive(grandchild), f"grandchild {grandchild} is still alive right after the abort"


def test_abort_ends_a_detached_grandchild():
    job = Job(["bash", "-c", "bash -c 'exec setsid sleep 30' & echo $!; wait"])
    grandchild = int(job.first_line())
    job.abort()
    try:
        assert ends_within(grandchild, 1), (
            f"survivor 1 s after the abort of process group {job.pid}: {describe(grandchild)}"
        )
    finally:
        kill(grandchild)


def test_abort_of_an_ended_job_is_an_error():
    job = Job(["true"])
    job.wait()
    with pytest.raises(ProcessLookupError):
        job.abort()
    job.process.stdout.close()


def ends_within(pid: int, deadline_s: float) -> bool:
    """Look every 20 ms whether `pid` still runs; False when it does at the deadline."""
    deadline = time.monotonic() + deadline_s
    while is_running(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def kill(pid: int) -> None:
    """End a process that the test must not leave behind."""
    if is_alive(pid):
        os.kill(pid, signal.SIGKILL)
