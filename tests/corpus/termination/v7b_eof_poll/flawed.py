"""Read the child's output to its end, pause 3 ms, poll(): the end of the output is not the end of the process."""

import subprocess
import sys
import time

child = subprocess.Popen(["bash", "-c", "echo result"], stdout=subprocess.PIPE, text=True)
child.stdout.read()
time.sleep(0.003)
if child.poll() is None:
    child.wait()
    sys.exit(f"process {child.pid} has not ended, though its output has")
