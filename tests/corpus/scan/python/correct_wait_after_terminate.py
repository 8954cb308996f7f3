# correct
# why: wait() returns when the child has ended, so poll() has its status
import subprocess
import sys
import unittest


class ServerTest(unittest.TestCase):
    def setUp(self):
        self.server = subprocess.Popen([sys.executable, "-m", "http.server", "0"])
        self.addCleanup(self.server.wait)
        self.addCleanup(self.server.kill)

    def test_stop(self):
        self.server.terminate()
        self.server.wait(timeout=30)
        self.assertIsNotNone(self.server.poll())
