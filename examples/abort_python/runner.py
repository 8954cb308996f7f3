"""A command runner as agents have it: a process group for each command, SIGTERM to the group on abort."""

import os
import signal
import subprocess

SCRIPT = "sleep 30 & echo $!; wait"


class Running:
    """One command in a process group of its own."""

    def __init__(self, script):
        self.process = subprocess.Popen(["bash", "-c", script], stdout=subprocess.PIPE, text=True, process_group=0)

    def first_line(self):
        """Return the first line of its output."""
        return self.process.stdout.readline()

    def abort(self):
        """Signal the group and wait for its leader."""
        os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait()
        self.process.stdout.close()


def is_alive(pid):
    """Whether a process has that pid; true of a zombie too."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
