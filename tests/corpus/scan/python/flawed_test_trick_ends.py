# flawed: fixed-sleep
# why: the process was seen to run, and has to be gone after a pause of a guessed length
import time

from tricks import kill_process


def test_command_is_not_waited_for(trick, event):
    trick.on_any_event(event)
    assert trick.is_process_running()
    time.sleep(3)
    assert not trick.is_process_running()
    kill_process(trick.pid, 15)
