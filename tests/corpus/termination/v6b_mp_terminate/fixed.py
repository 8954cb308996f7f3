"""multiprocessing: terminate(), join(5), is_alive()."""

import multiprocessing
import sys
import time


def work(ready) -> None:
    """Say that the worker runs, then be busy for long."""
    ready.send("ready")
    time.sleep(30)


ours, theirs = multiprocessing.Pipe()
worker = multiprocessing.get_context("fork").Process(target=work, args=(theirs,))
worker.start()
ours.recv()
worker.terminate()
worker.join(5)
if worker.is_alive():
    worker.kill()
    worker.join()
    sys.exit(f"worker {worker.pid} is still alive after 5 s")
