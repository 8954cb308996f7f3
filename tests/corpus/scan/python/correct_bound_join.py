# correct
# why: the bound method is kept in a variable, and called before the look
import multiprocessing
import time


def timed(call):
    def inner():
        began = time.monotonic()
        call()
        return time.monotonic() - began

    return inner


def test_terminate():
    worker = multiprocessing.Process(target=time.sleep, args=(60,))
    worker.start()
    worker.terminate()
    join = timed(worker.join)
    join()
    assert not worker.is_alive()
