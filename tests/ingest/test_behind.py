"""What is done behind the reader: in order, by one thread, with its errors where the reader waits for it."""

import sys
import threading

import pytest

from flakehunter.ingest.behind import SWITCH_S, Behind


def test_a_step_is_done_while_the_caller_goes_on() -> None:
    reached, told = threading.Event(), []
    with Behind[int](threaded=True) as behind:
        behind.begin(lambda: 1 if reached.wait(60) else 0, told.append)
        assert not told
        reached.set()
        behind.finish()
        assert told == [1]
        behind.finish()
    assert told == [1], "what a step returned is given once"


def test_steps_are_done_one_after_the_other() -> None:
    done: list[int] = []
    told: list[int] = []

    def step(number: int) -> int:
        done.append(number)
        return number

    with Behind[int](threaded=True) as behind:
        for number in range(20):
            behind.begin(lambda number=number: step(number), told.append)  # type: ignore[misc]
            assert told == list(range(number)), "the step before has ended"
        behind.finish()
    assert done == told == list(range(20))


@pytest.mark.parametrize("threaded", [True, False])
def test_an_error_comes_to_the_caller(threaded: bool) -> None:
    def fail() -> int:
        raise OSError("the disk is full")

    told: list[int] = []

    def work() -> None:
        with Behind[int](threaded=threaded) as behind:
            behind.begin(fail, told.append)
            behind.begin(lambda: 1, told.append)

    with pytest.raises(OSError, match="disk is full"):
        work()
    assert told == []


def test_without_a_thread_a_step_is_done_at_once() -> None:
    told: list[str] = []
    with Behind[str](threaded=False) as behind:
        behind.begin(lambda: threading.current_thread().name, told.append)
        assert told == [threading.current_thread().name]


def test_the_interpreter_is_left_as_it_was() -> None:
    before = sys.getswitchinterval()
    with Behind[int](threaded=True):
        assert sys.getswitchinterval() == pytest.approx(SWITCH_S)
    assert sys.getswitchinterval() == before
