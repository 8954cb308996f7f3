"""Commands in Job Objects that may end before, or are members from their first instruction."""

from jobkeeper import winjob

SHORT = ["cmd", "/c", "exit 3"]


def test_short_command_may_end_before_the_assignment():
    process, job = winjob.start_tolerant(SHORT)
    assert process.wait(60) == 3
    assert job.total_processes() in (0, 1)
    job.close()
    process.stdout.close()


def test_ended_command_is_not_assigned(capsys):
    process, job = winjob.start_tolerant(SHORT)
    process.wait(60)
    job.close()
    process.stdout.close()


def test_short_command_created_suspended_runs_in_its_job():
    process, job = winjob.start_suspended(SHORT)
    assert process.wait(60) == 3
    assert job.total_processes() == 1
    job.close()
    process.stdout.close()
