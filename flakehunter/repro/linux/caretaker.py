"""The caretaker of Linux, run as `python -P -m flakehunter.repro.linux.caretaker`; see repro/caretaker.py.

Processes go before the folder: every nursery and every trial has its path in the environment, so that they are found
even if supervisor and nursery were killed with the harness at one blow.
"""

import sys

assert sys.platform == "linux"

import os
import signal
import time

from flakehunter.groupkill.linux.procfs import read_environ, snapshot
from flakehunter.repro.caretaker import TRIAL_VARIABLE, care

GRACE_S = 2.0
"""Supervisors end their trials by themselves, mostly in milliseconds, and do it better: by pidfd, and reaping."""


def marked(folder: str) -> list[int]:
    """Return the living processes that were started for the experiment in `folder`."""
    word = f"{TRIAL_VARIABLE}={folder}".encode()
    return [
        stat.pid
        for stat in snapshot().values()
        if not stat.is_dead and stat.pid != os.getpid() and word in (read_environ(stat.pid) or b"").split(b"\0")
    ]


def end_processes(folder: str, deadline: float) -> None:
    """Wait until nothing runs for the experiment in `folder`, and kill what does after a moment."""
    grace = time.monotonic() + GRACE_S
    while (pids := marked(folder)) and time.monotonic() < deadline:
        if time.monotonic() >= grace:
            for pid in pids:
                try:
                    os.kill(pid, signal.SIGKILL)
                except (ProcessLookupError, PermissionError):
                    continue
        time.sleep(0.02)


def remove_quotas() -> None:
    """Remove the cgroups of quotas that killed supervisors left."""
    from flakehunter.repro.linux.quota import remove_quota_leftovers

    remove_quota_leftovers()


if __name__ == "__main__":
    sys.exit(care(end_processes, remove_quotas))
