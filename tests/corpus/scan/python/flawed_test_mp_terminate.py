# flawed: check-before-exit
# why: multiprocessing: terminate and is_alive at once
import multiprocessing as mp
import time


def spin():
    time.sleep(100)


def test_terminate():
    p = mp.Process(target=spin, daemon=True)
    p.start()
    p.terminate()
    assert not p.is_alive()
