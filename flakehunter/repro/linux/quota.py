"""A CPU quota for one trial: a cgroup of its own, version 2 or 1, gone with the trial; see cgroups(7).

Imported by every supervisor, so the search for the mounts is imported only where a quota is asked for.
"""

import sys

assert sys.platform == "linux"

import errno
import os
import time
from pathlib import Path

__all__ = ["Quota", "make_quota", "quota_parents", "remove_quota_leftovers"]

PERIOD_US = 100_000
NAME = "quota"
PATIENCE_S = 2.0


class Quota:
    """The cgroup of one trial."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def join(self) -> None:
        """Put this process into it."""
        (self.folder / "cgroup.procs").write_text(str(os.getpid()))

    def remove(self) -> list[str]:
        """Remove it, once nothing is in it any more; return what went wrong."""
        from flakehunter.groupkill.linux.cgroup_reach import remove_tree

        return remove_tree(self.folder, time.monotonic() + PATIENCE_S)


def quota_parents() -> list[tuple[Path, int]]:
    """Return (folder, cgroup version) of the cgroups below which a quota may be made, the nearest first.

    Ours alone would seldom do: a cgroup v2 with processes in it cannot give controllers to those below it, unless it is
    the root ("no internal process constraint" in cgroups(7)). Who is given a cgroup sits in a leaf of it, and the quota
    goes beside the leaf.
    """
    from flakehunter.groupkill.linux.cgroup_mounts import find_lineage, find_version1

    unified = [(folder, 2) for folder in find_lineage()]
    first = find_version1("cpu")
    return unified + ([(first, 1)] if first is not None else [])


def make_quota(percent: float) -> Quota:
    """Make a cgroup whose members together may use `percent` of one CPU.

    Raises:
        OSError: no cgroup with the cpu controller may be made here; the message says why.
    """
    from flakehunter.groupkill.linux.cgroup_reach import make_group, remove_leftovers, remove_tree

    reasons = []
    for parent, version in quota_parents():
        try:
            if version == 2:
                _enable_cpu(parent)
            remove_leftovers(parent)
            folder = make_group(parent, NAME)
        except OSError as error:
            reasons.append(f"{parent}: {error.strerror}")
            continue
        quota_us = max(1000, int(percent / 100 * PERIOD_US))
        try:
            if version == 2:
                (folder / "cpu.max").write_text(f"{quota_us} {PERIOD_US}")
            else:
                (folder / "cpu.cfs_period_us").write_text(str(PERIOD_US))
                (folder / "cpu.cfs_quota_us").write_text(str(quota_us))
        except OSError as error:
            remove_tree(folder, time.monotonic() + PATIENCE_S)
            reasons.append(f"{parent}: {error.strerror}")
            continue
        return Quota(folder)
    raise OSError(0, "; ".join(reasons) or "no cgroup is mounted with the cpu controller")


def _enable_cpu(parent: Path) -> None:
    """Have the children of `parent` get the cpu controller.

    Raises:
        OSError: it is not in `parent`, or not ours to give, or processes are in `parent`.
    """
    if "cpu" not in (parent / "cgroup.controllers").read_text().split():
        raise FileNotFoundError(2, "the cpu controller is not in this cgroup v2")
    if not os.access(parent / "cgroup.procs", os.W_OK):
        raise PermissionError(errno.EACCES, "not ours to move processes in")
    control = parent / "cgroup.subtree_control"
    if "cpu" in control.read_text().split():
        return
    # The kernel would not refuse: cpu is a threaded controller, so `parent` would become a threaded domain, and nobody
    # could join a cgroup below it ("Threads" in the kernel's cgroup-v2.rst). The root, which has no type, is exempt.
    if (parent / "cgroup.type").exists() and (parent / "cgroup.procs").read_text():
        raise OSError(errno.EBUSY, "processes are in it, so it cannot share out the cpu controller")
    control.write_text("+cpu")


def remove_quota_leftovers() -> None:
    """Kill and remove what is left in quota cgroups of supervisors that were killed."""
    from flakehunter.groupkill.linux.cgroup_reach import remove_leftovers

    for parent, _ in quota_parents():
        remove_leftovers(parent)
