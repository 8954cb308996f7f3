"""Commands in Job Objects."""

import sys

from jobkeeper import winjob

SHORT = ["cmd", "/c", "echo hello"]
LONG = [sys.executable, "-c", "import time; print('hello', flush=True); time.sleep(60)"]


def test_short_command_runs_in_a_job():
    started = winjob.start(SHORT)
    assert started.hello == "hello\n"
    assert started.finish(60) == 0


def test_long_command_is_a_member_of_its_job():
    started = winjob.start(LONG)
    assert started.job.active_processes() == 1
    started.job.terminate(9)
    assert started.finish(60) == 9


def test_closing_the_job_ends_its_member():
    started = winjob.start(LONG)
    started.job.close()
    started.process.wait(60)
    started.process.stdout.close()
