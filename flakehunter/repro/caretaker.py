"""A process that outlives the harness by a moment and takes away what it left, however it died.

Run as `python -P -m flakehunter.repro.caretaker`. Its standard input is the lifeline; each line is a JSON list:
`["folder", PATH]`, `["worktree", REPOSITORY, PATH]` or `["quota"]`. At end of file it removes them, the last first, and
exits. Processes go before the folder: every nursery and every trial has its PATH in the environment, so that they are
found even if supervisor and nursery were killed with the harness at one blow. Standard library and groupkill only.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from flakehunter.groupkill.linux.procfs import read_environ, snapshot

TRIAL_VARIABLE = "FLAKEHUNTER_TRIAL_FOLDER"
"""Set in the environment of all that runs for an experiment: its folder."""

PATIENCE_S = 20.0
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


def _end_processes(folder: str, deadline: float) -> None:
    grace = time.monotonic() + GRACE_S
    while (pids := marked(folder)) and time.monotonic() < deadline:
        if time.monotonic() >= grace:
            for pid in pids:
                try:
                    os.kill(pid, signal.SIGKILL)
                except (ProcessLookupError, PermissionError):
                    continue
        time.sleep(0.02)


def _remove(entry: list[str]) -> bool:
    kind, *paths = entry
    if kind == "quota":
        from flakehunter.repro.quota import remove_quota_leftovers

        remove_quota_leftovers()
        return True
    if kind == "worktree":
        repository, path = paths
        git = ["git", "-C", repository, "worktree"]
        subprocess.run([*git, "remove", "--force", "--force", path], capture_output=True, check=False)
        shutil.rmtree(path, ignore_errors=True)
        subprocess.run([*git, "prune"], capture_output=True, check=False)
        return not Path(path).exists()
    shutil.rmtree(paths[0], ignore_errors=True)
    return not Path(paths[0]).exists()


def main() -> int:
    """Collect what to remove until the harness is gone, then remove it; trials being ended may hold it for a while."""
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    entries: list[list[str]] = [json.loads(line) for line in sys.stdin]
    deadline = time.monotonic() + PATIENCE_S
    for kind, *paths in entries:
        if kind == "folder":
            _end_processes(paths[0], deadline)
    left = entries[::-1]
    while left and time.monotonic() < deadline:
        left = [entry for entry in left if not _remove(entry)]
        if left:
            time.sleep(0.05)
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
