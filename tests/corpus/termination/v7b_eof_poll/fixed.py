"""Read the child's output to its end, wait for the child, for at most 5 s."""

import subprocess
import sys

child = subprocess.Popen(["bash", "-c", "echo result"], stdout=subprocess.PIPE, text=True)
child.stdout.read()
try:
    child.wait(timeout=5)
except subprocess.TimeoutExpired:
    child.wait()
    sys.exit(f"process {child.pid} has not ended after 5 s")
