# flawed: check-before-exit
# why: Popen.poll() right after terminate() returns None when the child has not run yet
import subprocess
import sys
import unittest


class ServerTest(unittest.TestCase):
    def setUp(self):
        self.server = subprocess.Popen([sys.executable, "-m", "http.server", "0"])

    def test_stop(self):
        self.server.terminate()
        self.assertIsNotNone(self.server.poll())

    def tearDown(self):
        self.server.kill()
        self.server.wait()
