# correct
# why: join() orders the look
import multiprocessing


def spin():
    while True:
        pass


def test_terminate():
    p = multiprocessing.Process(target=spin)
    p.start()
    p.terminate()
    p.join(30)
    assert not p.is_alive()
    assert p.exitcode != 0
