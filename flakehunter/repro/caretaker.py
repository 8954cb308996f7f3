"""A process that outlives the harness by a moment and takes away what it left on disk, however it died.

Run as `python -P -m flakehunter.repro.caretaker`. Its standard input is the lifeline; each line is a JSON list:
`["folder", PATH]` or `["worktree", REPOSITORY, PATH]`. At end of file it removes them, the last first, and exits.
Standard library only.
"""

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

PATIENCE_S = 20.0


def _remove(entry: list[str]) -> bool:
    kind, *paths = entry
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
    left = entries[::-1]
    while left and time.monotonic() < deadline:
        left = [entry for entry in left if not _remove(entry)]
        if left:
            time.sleep(0.05)
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
