"""In a worker of pytest-xdist: SIGTERM to the group, wait for the leader, look 5 s long for the grandchild."""

import os
import signal
import subprocess
import time
from pathlib import Path

# The shell names the grandchild only once it is `sleep`, so that the signal never meets a half-made process.
GROUP = 'sleep 30 & n=; until [ "$n" = sleep ]; do read -r n </proc/$!/comm; done; echo $!; wait'


def gone(pid: int) -> bool:
    """Whether the process has ended; a zombie has."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
    return stat.rpartition(")")[2].split()[0] in "ZX"


def test_the_group_ends() -> None:
    """End a group and look at its second process."""
    leader = subprocess.Popen(["bash", "-c", GROUP], stdout=subprocess.PIPE, text=True, start_new_session=True)
    with leader:
        grandchild = int(leader.stdout.readline())
        os.killpg(leader.pid, signal.SIGTERM)
        leader.wait()
        deadline = time.monotonic() + 5
        while not gone(grandchild):
            assert time.monotonic() < deadline, f"process {grandchild} (sleep 30) is still alive after 5 s"
            time.sleep(0.01)
