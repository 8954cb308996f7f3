# flawed: check-before-exit
# why: pid_exists() is asked in the moment after kill()
import psutil


def stop_worker(supervisor):
    worker = psutil.Process(supervisor.pid).children()[0]
    worker.kill()
    assert not psutil.pid_exists(worker.pid)
