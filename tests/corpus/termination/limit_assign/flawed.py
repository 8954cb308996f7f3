"""prlimit(1) sets a limit for a job of 50 ms that runs already: it may have ended."""

import subprocess
import sys

# The shell reaps the job as soon as it ends, and then its pid is nobody's.
PARENT = "sleep 0.05 & echo $!; wait"

parent = subprocess.Popen(["bash", "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
job = parent.stdout.readline().strip()
limit = subprocess.run(["prlimit", "--pid", job, "--nofile=64:64"], check=False, stderr=subprocess.PIPE, text=True)
parent.communicate()
if limit.returncode != 0:
    sys.exit(f"no limit for process {job}: {limit.stderr.strip()}")
