# flawed: fixed-sleep
# why: the class is no process, its argument is: it is killed, and looked at after a pause
from time import sleep

from tools import ProcessTools


def test_kill(child_process):
    ProcessTools.kill(child_process.pid)
    sleep(0.3)
    assert ProcessTools.is_alive(child_process.pid) is False
