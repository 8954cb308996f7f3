# flawed: fixed-sleep
# why: a second stands for the end of the child, of which poll has to know then
import signal
import time
import unittest

from solver import started


class InterruptTest(unittest.TestCase):
    def test_interrupt(self):
        child = started("big.problem")
        child.process.send_signal(signal.SIGINT)
        time.sleep(1)
        self.assertFalse(child.process.poll() is None)
