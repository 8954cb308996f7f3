# correct
# why: join() waits for the end
import multiprocessing
import time


def test_terminate():
    worker = multiprocessing.Process(target=time.sleep, args=(100,))
    worker.start()
    worker.terminate()
    worker.join()
    assert not worker.is_alive()
    assert worker.exitcode < 0
