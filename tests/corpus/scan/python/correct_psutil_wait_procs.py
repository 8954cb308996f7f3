# correct
# why: wait_procs() blocks until the processes are gone
import psutil


def stop_workers(supervisor):
    workers = psutil.Process(supervisor.pid).children(recursive=True)
    for worker in workers:
        worker.terminate()
    gone, alive = psutil.wait_procs(workers, timeout=10)
    for worker in alive:
        worker.kill()
    psutil.wait_procs(alive, timeout=10)
    assert not any(psutil.pid_exists(worker.pid) for worker in workers)
