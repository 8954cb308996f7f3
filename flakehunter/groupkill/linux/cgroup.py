"""Backends `cgroup` (version 2) and `cgroup-v1` (freezer): a cgroup of the group's own, joined before exec."""

import sys

assert sys.platform == "linux"

import os
from pathlib import Path

from flakehunter.groupkill.linux.backend import LinuxBackend
from flakehunter.groupkill.linux.cgroup_mounts import find_freezer, find_unified
from flakehunter.groupkill.linux.cgroup_reach import (
    CgroupReach,
    FreezerReach,
    make_group,
    remove_leftovers,
    remove_tree,
)
from flakehunter.groupkill.linux.marks import Mark
from flakehunter.groupkill.linux.reach import Reach

__all__ = ["CgroupBackend", "CgroupV1Backend"]


class CgroupBackend(LinuxBackend):
    """cgroup v2: cgroup.kill and cgroup.events."""

    name = "cgroup"
    needs_privilege = True
    can_escape = False
    sees_all_members = True
    works = "a dry run ended its processes through cgroup.kill"

    def __init__(self) -> None:
        self._made: dict[str, Path] = {}

    def parent(self) -> Path | None:
        """Return our own cgroup, below which groups are made; None where there is none."""
        return find_unified()

    def requirement(self) -> str:
        """Say what is missing."""
        parent = self.parent()
        if parent is None:
            return "no cgroup v2 is mounted that shows our own cgroup"
        if not os.access(parent, os.W_OK):
            return (
                f"EACCES: {parent} is not ours; run as root, or in a delegated cgroup: "
                "systemd-run --user --scope -p Delegate=yes …"
            )
        return ""

    def options(self, name: str) -> list[str]:
        """Make the cgroup and join it between fork and exec: no member is ever outside."""
        parent = self.parent()
        if parent is None:
            raise FileNotFoundError(self.requirement())
        remove_leftovers(parent)
        self._made[name] = make_group(parent, name)
        return [f"--join={self._made[name] / 'cgroup.procs'}", "--new=group"]

    def discard(self, name: str) -> None:
        """Remove the cgroup of a command that did not start."""
        folder = self._made.pop(name, None)
        if folder is not None:
            remove_tree(folder, 0.0)

    def reach(self, leader: int, mark: Mark) -> Reach:
        """Reach the members through the cgroup."""
        return CgroupReach(self._made.pop(mark.cookie))


class CgroupV1Backend(CgroupBackend):
    """The freezer of cgroup v1, for systems without version 2."""

    name = "cgroup-v1"
    works = "a dry run ended its processes through the freezer"

    def parent(self) -> Path | None:
        """Return our own cgroup of the freezer."""
        return find_freezer()

    def requirement(self) -> str:
        """Say what is missing."""
        parent = self.parent()
        if parent is None:
            return "no cgroup v1 freezer is mounted"
        if not os.access(parent, os.W_OK):
            return f"EACCES: {parent} is not ours; run as root, or in a freezer cgroup that is delegated to this user"
        return ""

    def reach(self, leader: int, mark: Mark) -> Reach:
        """Reach the members through the freezer."""
        return FreezerReach(self._made.pop(mark.cookie))
