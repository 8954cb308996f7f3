"""A process that outlives the harness by a moment and takes away what it left, however it died; the rooms start it.

Its standard input is the lifeline; each line is a JSON list: `["folder", PATH]`, `["worktree", REPOSITORY, PATH]`,
`["quota"]` or `["journal", PATH, FOLDER...]`. At end of file it removes them, the last first; a journal that is still
there is stored before that, by a Python that looks for modules in the FOLDERs. Standard library and groupkill only.
"""

import json
import signal
import sys
import time
from collections.abc import Callable

__all__ = ["TRIAL_VARIABLE", "care"]

TRIAL_VARIABLE = "FLAKEHUNTER_TRIAL_FOLDER"
"""Set in the environment of all that runs for an experiment: its folder."""

PATIENCE_S = 20.0

STORE = "import sys; sys.path[:] = sys.argv[2:]; from flakehunter.repro.journal import main; main()"


def _remove(entry: list[str], remove_quotas: Callable[[], None]) -> bool:
    import shutil  # these three only now: who starts an experiment waits for the caretaker's start
    import subprocess
    from pathlib import Path

    kind, *paths = entry
    if kind == "journal":
        if Path(paths[0]).exists():
            subprocess.run([sys.executable, "-P", "-c", STORE, *paths], check=False)
            Path(paths[0]).unlink(missing_ok=True)
        return True
    if kind == "quota":
        remove_quotas()
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


def care(end_processes: Callable[[str, float], None], remove_quotas: Callable[[], None]) -> int:
    """Collect what to remove until the harness is gone, then remove it; trials being ended may hold it for a while.

    Args:
        end_processes: ends what still runs for the experiment in a folder, until a moment of `time.monotonic()`.
        remove_quotas: removes the cgroups that quotas left.

    Returns:
        The exit status: 1 when something could not be removed.
    """
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    entries: list[list[str]] = [json.loads(line) for line in sys.stdin]
    deadline = time.monotonic() + PATIENCE_S
    for kind, *paths in entries:
        if kind == "folder":
            end_processes(paths[0], deadline)
    left = entries[::-1]
    while left := [entry for entry in left if not _remove(entry, remove_quotas)]:
        if time.monotonic() >= deadline:
            return 1
        time.sleep(0.05)
    return 0
