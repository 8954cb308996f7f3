"""Commands in Job Objects."""

import sys

from jobkeeper import winjob

SHORT = ["cmd", "/c", "exit 3"]


def test_short_command_runs_in_a_job():
    process, job = winjob.start(SHORT)
    assert process.wait(60) == 3
    assert job.total_processes() == 1
    job.close()
    process.stdout.close()


def test_terminate_ends_the_member():
    process, job = winjob.start_suspended([sys.executable, "-c", "print('up', flush=True); input()"])
    assert process.stdout.readline() == "up\n"
    job.terminate(9)
    assert process.wait(60) == 9
    job.close()
    process.stdout.close()


def test_member_is_counted():
    process, job = winjob.start_suspended(
        [sys.executable, "-c", "print('up', flush=True); import time; time.sleep(60)"]
    )
    assert process.stdout.readline() == "up\n"
    assert job.active_processes() == 1
    job.terminate()
    process.wait(60)
    job.close()
    process.stdout.close()
