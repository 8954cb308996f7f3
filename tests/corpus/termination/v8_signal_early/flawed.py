"""SIGTERM 60 ms after the start of a service that needs some of them to set its handler."""

import subprocess
import sys
import time

SERVICE = "trap 'exit 0' TERM; echo ready; while read -t 0.02 -r _ || [ $? -gt 128 ]; do :; done"

service = subprocess.Popen(["bash", "-c", SERVICE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
time.sleep(0.06)
service.terminate()
status = service.wait()
if status != 0:
    sys.exit(f"the service did not end cleanly on SIGTERM: status {status}")
