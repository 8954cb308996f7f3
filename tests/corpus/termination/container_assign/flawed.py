"""A job of 150 ms runs while its container starts: it may have ended before the container takes it in."""

import subprocess
import sys
from pathlib import Path

# The shell reaps the job as soon as it ends, and then its pid is nobody's.
PARENT = "sleep 0.15 & echo $!; wait"

parent = subprocess.Popen(["bash", "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
job = parent.stdout.readline().strip()
container = subprocess.run(
    [sys.executable, "-I", "-S", Path(__file__).with_name("container.py"), job],
    check=False,
    stdout=subprocess.PIPE,
    text=True,
)
parent.communicate()
if container.stdout != "joined\n":
    sys.exit(f"process {job} had ended before its container took it in")
