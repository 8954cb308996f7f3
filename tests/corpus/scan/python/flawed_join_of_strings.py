# flawed: fixed-sleep
# why: what joins strings and closes a file waits for no process
import time

import psutil
from supervisor import Supervisor


def test_disable_ends_the_worker(log_path):
    worker_pid = Supervisor.current().worker_pid
    Supervisor.current().disable("worker")
    time.sleep(2)
    log = open(log_path)
    said = ", ".join(log.readlines())
    log.close()
    assert "disabled" in said
    assert not psutil.pid_exists(worker_pid)
