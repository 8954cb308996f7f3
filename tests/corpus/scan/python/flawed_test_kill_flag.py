# flawed: check-before-exit
# why: killed through a wrapper's kill(), returncode asserted without wait
import subprocess


class Job:
    def __init__(self, argv):
        self.proc = subprocess.Popen(argv)

    def kill(self):
        self.proc.kill()

    @property
    def running(self):
        return self.proc.poll() is None


def test_kill():
    job = Job(["sleep", "100"])
    assert job.running
    job.kill()
    assert not job.running
