# flawed: fixed-sleep
# why: a second is taken for the start of the server
import subprocess
import sys
import time
import unittest

import requests


class ServerTest(unittest.TestCase):
    def setUp(self):
        self.server = subprocess.Popen([sys.executable, "-m", "myapp.server", "--port", "8765"])
        time.sleep(1)

    def tearDown(self):
        self.server.terminate()
        self.server.wait()

    def test_health(self):
        response = requests.get("http://127.0.0.1:8765/health")
        self.assertEqual(response.status_code, 200)
