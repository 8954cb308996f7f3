# correct
# why: set-up waits for the event that the server process sets; its pause is a poll's
import multiprocessing
import socket
import time
import unittest


class ServerCase(unittest.TestCase):
    def setUp(self):
        super().setUp()
        self.up = multiprocessing.Event()
        self.server = multiprocessing.Process(target=serve, args=(self.up,))
        self.server.start()
        tries = 0
        while not self.up.is_set():
            time.sleep(0.2)
            tries += 1
            if tries > 100:
                raise RuntimeError("the server did not start")

    def test_greets(self):
        with socket.create_connection(("127.0.0.1", 8123)) as link:
            assert link.recv(10)
