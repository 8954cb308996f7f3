# flawed: check-before-exit
# why: is_alive() straight after terminate(), without join()
import multiprocessing


def _spin():
    while True:
        pass


def test_terminate():
    worker = multiprocessing.Process(target=_spin)
    worker.start()
    worker.terminate()
    assert not worker.is_alive()
