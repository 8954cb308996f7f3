"""multiprocessing: terminate(), pause 10 ms, is_alive()."""

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
time.sleep(0.01)
if worker.is_alive():
    worker.join()
    sys.exit(f"worker {worker.pid} is still alive")
