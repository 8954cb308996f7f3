"""communicate(timeout=...) runs out, kill() ends the direct child; 40 ms later its helper is taken to be gone."""

import subprocess
import sys
import time
from pathlib import Path

# Nobody signals the helper (cat): it ends by itself when its standard input does.
SHELL = "exec 3<&0; cat <&3 >/dev/null & echo $!; exec sleep 30 <&-"


def gone(pid: int) -> bool:
    """Whether the process has ended; a zombie has."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
    return stat.rpartition(")")[2].split()[0] in "ZX"


child = subprocess.Popen(["bash", "-c", SHELL], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
helper = int(child.stdout.readline())
try:
    child.wait(timeout=0.02)
except subprocess.TimeoutExpired:
    child.kill()
    child.wait()
child.stdin.close()
time.sleep(0.04)
if not gone(helper):
    sys.exit(f"process {helper} (cat) has survived the time-out")
