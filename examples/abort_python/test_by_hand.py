"""Mended by hand: look until a deadline, with a pause between looks, and say how many it took."""

import time

from runner import SCRIPT, Running, is_alive

DEADLINE_S = 10.0  # many times what init takes to reap an orphan: until then kill(pid, 0) finds the zombie


def test_abort_ends_the_grandchild():
    running = Running(SCRIPT)
    grandchild = int(running.first_line())
    running.abort()
    end = time.monotonic() + DEADLINE_S
    looks = 1
    while is_alive(grandchild) and time.monotonic() < end:
        time.sleep(0.01)
        looks += 1
    assert not is_alive(grandchild), f"alive after {looks} looks in {DEADLINE_S} s"
