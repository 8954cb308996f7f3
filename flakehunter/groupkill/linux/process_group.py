"""Backend `process-group`: a process group of its own and killpg(2); members that leave it are named, not ended."""

import sys

assert sys.platform == "linux"

from collections.abc import Iterable

from flakehunter.groupkill.linux.backend import LinuxBackend
from flakehunter.groupkill.linux.marks import Mark
from flakehunter.groupkill.linux.procfs import ProcessStat
from flakehunter.groupkill.linux.reach import Reach
from flakehunter.groupkill.linux.track import Tracker

__all__ = ["ProcessGroupBackend"]


class GroupReach(Reach):
    """All processes of one process group, wherever they hang in the tree."""

    def __init__(self, leader: int) -> None:
        self.leader = leader

    def is_member(self, stat: ProcessStat) -> bool:
        """Whether it is in the group now."""
        return stat.pgid == self.leader

    def groups(self, tracker: Tracker) -> Iterable[int]:
        """The leader is unreaped as long as this is asked, so the number is its own."""
        return [self.leader]


class ProcessGroupBackend(LinuxBackend):
    """setpgid(2) and killpg(2), as most test runners do."""

    name = "process-group"
    works = "a dry run ended its processes; members that call setsid or setpgid leave the group"

    def reach(self, leader: int, mark: Mark) -> Reach:
        """Reach the members by the number of the group."""
        return GroupReach(leader)
