# correct
# why: the worker is somebody else's, and the socket is looked for and removed by who made it
import errno
import os
import signal


class Arbiter:
    def kill_worker(self, pid, number):
        try:
            os.kill(pid, number)
        except OSError as error:
            if error.errno == errno.ESRCH:
                self.forget(pid)

    def clean_sync(self):
        if os.path.exists(self.socket_path):
            os.unlink(self.socket_path)

    def forget(self, pid):
        self.workers.pop(pid)


def test_unknown_worker_is_passed_over(arbiter):
    arbiter.kill_worker(99999, signal.SIGTERM)
    arbiter.clean_sync()
