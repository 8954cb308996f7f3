"""The wait runs out, the whole group is killed, and the helper is looked at until it is gone, for at most 5 s."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

# The helper (cat) would end when its standard input does; the test signals it with the rest of its group.
SHELL = "exec 3<&0; cat <&3 >/dev/null & echo $!; exec sleep 30 <&-"


def gone(pid: int) -> bool:
    """Whether the process has ended; a zombie has."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
    return stat.rpartition(")")[2].split()[0] in "ZX"


child = subprocess.Popen(
    ["bash", "-c", SHELL], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
)
helper = int(child.stdout.readline())
try:
    child.wait(timeout=0.02)
except subprocess.TimeoutExpired:
    os.killpg(child.pid, signal.SIGKILL)
    child.wait()
child.stdin.close()
deadline = time.monotonic() + 5
while not gone(helper):
    if time.monotonic() > deadline:
        sys.exit(f"process {helper} (cat) is still alive after 5 s")
    time.sleep(0.01)
