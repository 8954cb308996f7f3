"""Jobs: start, output, exit codes."""

import os
import signal

import pytest

from jobkeeper.job import Job, descendants, describe, is_alive


@pytest.fixture
def sleeper():
    job = Job(["sleep", "30"])
    yield job
    job.abort()


def test_job_leads_its_own_process_group(sleeper):
    assert os.getpgid(sleeper.pid) == sleeper.pid
    assert os.getpgid(sleeper.pid) != os.getpgid(0)


@pytest.mark.parametrize("code", [0, 1, 42, 255])
def test_exit_code(code):
    job = Job(["sh", "-c", f"exit {code}"])
    assert job.wait(20) == code
    job.process.stdout.close()


def test_first_line_of_output():
    job = Job(["sh", "-c", "echo one; echo two"])
    assert job.first_line() == "one"
    assert job.wait(20) == 0
    job.process.stdout.close()


def test_waited_job_is_gone():
    job = Job(["sleep", "30"])
    assert is_alive(job.pid)
    os.kill(job.pid, signal.SIGKILL)
    assert job.wait(20) == -signal.SIGKILL
    assert not is_alive(job.pid)
    assert describe(job.pid) == f"{job.pid}: gone"
    job.process.stdout.close()


def test_descendants_are_found():
    job = Job(["bash", "-c", "sleep 30 & echo $!; wait"])
    grandchild = int(job.first_line())
    assert descendants(job.pid) == [grandchild]
    job.abort()


@pytest.mark.skipif(not os.path.exists("/run/systemd/system"), reason="needs a systemd session")
def test_job_in_a_systemd_scope():
    job = Job(["systemd-run", "--scope", "--quiet", "true"])
    assert job.wait(20) == 0
    job.process.stdout.close()
