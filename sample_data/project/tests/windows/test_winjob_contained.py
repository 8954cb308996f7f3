"""Commands in Job Objects that may end before they are assigned, or are members from their first instruction."""

import subprocess

import pytest

from jobkeeper import winjob

SHORT = ["cmd", "/c", "echo hello"]


def test_short_command_may_end_before_its_job_takes_it():
    started = winjob.start_tolerant(SHORT)
    assert started.hello == "hello\n"
    assert started.finish(60) == 0


def test_short_command_created_suspended_runs_in_its_job():
    started = winjob.start_suspended(SHORT)
    assert started.hello == "hello\n"
    assert started.job.total_processes() == 1
    assert started.finish(60) == 0


@pytest.mark.parametrize("code", [0, 3, winjob.STILL_ACTIVE])
def test_ended_command_is_left_out_of_the_job(code):
    process = subprocess.Popen(["cmd", "/c", f"exit {code}"], stdout=subprocess.PIPE, text=True)
    assert process.wait(60) == code
    job = winjob.JobObject()
    assert winjob.assign_unless_ended(job, process) is False
    job.close()
    process.stdout.close()
