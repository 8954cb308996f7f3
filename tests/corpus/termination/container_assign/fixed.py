"""A job waits for a line on its input before it begins, and gets it when the container has taken it in."""

import subprocess
import sys
from pathlib import Path

# The shell reaps the job as soon as it ends, and then its pid is nobody's.
PARENT = "exec 3<&0; (read -r _ <&3; exec sleep 0.15) & echo $!; wait"

parent = subprocess.Popen(["bash", "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
job = parent.stdout.readline().strip()
container = subprocess.run(
    [sys.executable, "-I", "-S", Path(__file__).with_name("container.py"), job],
    check=False,
    stdout=subprocess.PIPE,
    text=True,
)
parent.communicate("go\n", timeout=5)
if container.stdout != "joined\n":
    sys.exit(f"process {job} had ended before its container took it in")
