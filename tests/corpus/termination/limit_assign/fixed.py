"""prlimit(1) sets a limit for a job that waits for a line on its input before it begins."""

import subprocess
import sys

# The shell reaps the job as soon as it ends, and then its pid is nobody's.
PARENT = "exec 3<&0; (read -r _ <&3; exec sleep 0.05) & echo $!; wait"

parent = subprocess.Popen(["bash", "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
job = parent.stdout.readline().strip()
limit = subprocess.run(["prlimit", "--pid", job, "--nofile=64:64"], check=False, stderr=subprocess.PIPE, text=True)
parent.communicate("go\n", timeout=5)
if limit.returncode != 0:
    sys.exit(f"no limit for process {job}: {limit.stderr.strip()}")
