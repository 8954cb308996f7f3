# flawed: fixed-sleep
# why: pauses half a second after the supervisor is told to stop, then demands that the worker's pid is gone
import os
import time

import psutil
import pytest

from myapp.supervisor import Supervisor


@pytest.fixture
def supervisor(tmp_path):
    sup = Supervisor(run_dir=tmp_path)
    sup.start()
    yield sup
    sup.shutdown()


def test_stop_ends_the_worker(supervisor):
    pid = supervisor.worker_pid
    assert psutil.pid_exists(pid)
    supervisor.stop_worker()
    # give it a moment to go away
    time.sleep(0.5)
    assert not psutil.pid_exists(pid)
