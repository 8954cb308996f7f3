"""A container that takes a process in by pidfd_open(2) and says so: `joined`, or `lost` when the process has ended."""

import os
import sys

try:
    os.pidfd_open(int(sys.argv[1]))
    print("joined", flush=True)
except ProcessLookupError:
    print("lost", flush=True)
