"""SIGTERM when the service has said that it is ready."""

import subprocess
import sys

SERVICE = "trap 'exit 0' TERM; echo ready; while read -t 0.02 -r _ || [ $? -gt 128 ]; do :; done"

service = subprocess.Popen(["bash", "-c", SERVICE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
service.stdout.readline()
service.terminate()
status = service.wait()
if status != 0:
    sys.exit(f"the service did not end cleanly on SIGTERM: status {status}")
