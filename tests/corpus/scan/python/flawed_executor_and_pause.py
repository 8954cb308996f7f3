# flawed: fixed-sleep
# why: two seconds stand for the daemon being there, whoever starts it
import time

from launching import Launcher, listed_pids


def test_daemon_is_listed():
    executor = Launcher("index-daemon")
    executor.start()
    time.sleep(2)
    assert "index-daemon" in listed_pids()
    executor.kill()
