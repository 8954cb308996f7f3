"""Backend `naive`: kill the direct child only; kept on purpose as the flawed baseline that fixes are compared with."""

import sys

assert sys.platform == "linux"

from collections.abc import Iterable

from flakehunter.groupkill.linux.backend import LinuxBackend
from flakehunter.groupkill.linux.marks import Mark
from flakehunter.groupkill.linux.procfs import ProcessStat
from flakehunter.groupkill.linux.reach import Reach

__all__ = ["NaiveBackend"]


class ChildReach(Reach):
    """The direct child and nobody else."""

    def __init__(self, leader: int) -> None:
        self.leader = leader

    def pids(self) -> Iterable[int]:
        """The child only."""
        return [self.leader]

    def is_member(self, stat: ProcessStat) -> bool:
        """Whether it is the child."""
        return stat.pid == self.leader


class NaiveBackend(LinuxBackend):
    """Popen.kill() and wait(): leaves every grandchild, and says so."""

    name = "naive"
    works = "kills the direct child only, on purpose: a baseline, no protection"
    dry_run_argv = ("/bin/sh", "-c", "echo up; exec sleep 60")

    def options(self, name: str) -> list[str]:
        """Contain nothing."""
        return []

    def reach(self, leader: int, mark: Mark) -> Reach:
        """Reach the child."""
        return ChildReach(leader)
