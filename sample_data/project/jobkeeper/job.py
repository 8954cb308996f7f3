"""A job: a command in a process group of its own, and two ways to abort it."""

import logging
import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

log = logging.getLogger("jobkeeper")


class Job:
    """A running command; its pid is also the id of its process group."""

    def __init__(self, argv: Sequence[str]) -> None:
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, process_group=0)
        self.pid = self.process.pid

    def first_line(self) -> str:
        """Return the first line that the command prints, waiting for it."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def wait(self, timeout_s: float | None = None) -> int:
        """Wait for the command and return its exit code, negative for a signal."""
        return self.process.wait(timeout_s)

    def abort(self, grace_s: float = 10.0) -> int:
        """Send SIGTERM to the process group, SIGKILL after `grace_s`; wait for the command, return its exit code."""
        os.killpg(self.pid, signal.SIGTERM)
        log.warning("sent SIGTERM to process group %d", self.pid)
        try:
            code = self.process.wait(grace_s)
        except subprocess.TimeoutExpired:
            os.killpg(self.pid, signal.SIGKILL)
            log.warning("sent SIGKILL to process group %d after %g s", self.pid, grace_s)
            code = self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()
        log.warning("job %d ended with %d", self.pid, code)
        return code

    def abort_tree(self) -> int:
        """Abort as `abort` does, and send SIGTERM to descendants that have left the group, too."""
        # All of them: who is still in the group may leave it before the group is signalled.
        for pid in descendants(self.pid):
            _signal(pid)
        return self.abort()


def descendants(pid: int) -> list[int]:
    """Return the pids below `pid`, nearest first, from /proc/PID/task/TID/children (proc_pid_task(5))."""
    try:
        children = [
            int(word)
            for task in Path(f"/proc/{pid}/task").iterdir()
            for word in (task / "children").read_text().split()
        ]
    except OSError:
        return []
    return children + [below for child in children for below in descendants(child)]


def is_alive(pid: int) -> bool:
    """Say whether a signal could be sent to `pid`: kill(2) with signal 0."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def is_running(pid: int) -> bool:
    """Say whether `pid` is alive and no zombie: what has ended but was not reaped does nothing any more."""
    return is_alive(pid) and "(zombie)" not in describe(pid)


def describe(pid: int) -> str:
    """Return `PID (command): STATE, process group N`, or `PID: gone`."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        group = os.getpgid(pid)
    except OSError:
        return f"{pid}: gone"
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    return f"{pid} ({fields['Name']}): {fields['State']}, process group {group}"


def _signal(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        pass
