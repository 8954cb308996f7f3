# correct
# why: a thread, no process
import threading
import time


class Ticker(threading.Thread):
    def __init__(self):
        super().__init__(daemon=True)
        self._stop = threading.Event()

    def run(self):
        while not self._stop.wait(0.01):
            pass

    def stop(self):
        self._stop.set()


def test_ticker_stops():
    ticker = Ticker()
    ticker.start()
    ticker.stop()
    time.sleep(0.2)
    assert not ticker.is_alive()
