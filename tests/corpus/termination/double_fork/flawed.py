"""SIGTERM to the group, wait for the leader, pause 30 ms: the daemon that left the group is taken to be gone."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

# A daemon as in daemon(7): twice forked, in a session of its own, out of the group's reach. It ends by itself when its
# standard input does.
SHELL = "exec 3<&0; (setsid bash -c 'echo $$; exec cat <&3 >/dev/null' &); exec sleep 30 <&-"


def gone(pid: int) -> bool:
    """Whether the process has ended; a zombie has."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
    return stat.rpartition(")")[2].split()[0] in "ZX"


leader = subprocess.Popen(
    ["bash", "-c", SHELL], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
)
daemon = int(leader.stdout.readline())
os.killpg(leader.pid, signal.SIGTERM)
leader.wait()
leader.stdin.close()
time.sleep(0.03)
if not gone(daemon):
    sys.exit(f"process {daemon} (cat) has survived: it is in no group that was signalled")
