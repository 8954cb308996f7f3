"""Flawed: the leader has ended, but nobody has waited for its child."""

from runner import SCRIPT, Running, is_alive


def test_abort_ends_the_grandchild():
    running = Running(SCRIPT)
    grandchild = int(running.first_line())
    running.abort()
    assert not is_alive(grandchild)
