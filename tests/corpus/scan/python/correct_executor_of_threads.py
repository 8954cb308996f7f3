# correct
# why: a timer is no process, and what it does is waited for
import time

from clocks import Timer


def test_timer_ticks():
    ticking = Timer(0.1)
    ticking.start()
    time.sleep(0.2)
    ticking.wait_for_tick()
    assert ticking.ticks
