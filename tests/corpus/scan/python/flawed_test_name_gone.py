# flawed: fixed-sleep
# why: whoever answers the question was stopped two lines before, with a pause between
import time
import unittest

from system import Processes


class Kill(unittest.TestCase):
    def test_server_is_killed_by_its_port(self):
        Processes.kill_by_port(4711)
        time.sleep(0.5)
        running = Processes.is_running_with_words("serve --port 4711")
        assert not running
