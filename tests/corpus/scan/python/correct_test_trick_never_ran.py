# correct
# why: the process must not have been started at all: after the pause there is nothing that could be late in ending
import time


def test_event_of_another_kind_starts_nothing(trick, event):
    trick.on_any_event(event)
    assert not trick.is_process_running()
    time.sleep(3)
    assert not trick.is_process_running()
