"""Backend `cookie`: killpg first, then every process that carries the group's inherited marks, wherever it went."""

import sys

assert sys.platform == "linux"

from collections.abc import Iterable

from flakehunter.groupkill.linux.backend import LinuxBackend
from flakehunter.groupkill.linux.marks import Mark
from flakehunter.groupkill.linux.procfs import ProcessStat
from flakehunter.groupkill.linux.reach import Reach
from flakehunter.groupkill.linux.track import Tracker

__all__ = ["CookieBackend"]


class CookieReach(Reach):
    """All processes with a mark of the group, or in its process group."""

    ends_strays = True

    def __init__(self, leader: int, mark: Mark) -> None:
        self.leader = leader
        self.mark = mark

    def is_member(self, stat: ProcessStat) -> bool:
        """Whether it is in the process group or carries a mark."""
        if stat.pgid == self.leader:
            return True
        return stat.start_ticks >= self.mark.born_ticks and not stat.is_dead and self.mark.is_on(stat)

    def groups(self, tracker: Tracker) -> Iterable[int]:
        """The leader's group: one blow at it is quicker than a search. The leader is unreaped while this is asked."""
        return [self.leader]

    def signal(self, tracker: Tracker, number: int) -> None:
        """Signal the group, then each member outside of it; whom the tracker holds was found to be one already."""
        tracker.signal_all(number, groups=self.groups(tracker))


class CookieBackend(LinuxBackend):
    """Jenkins' way (an environment variable) with a second mark that outlives an emptied environment."""

    name = "cookie"
    works = "a dry run ended its processes; a member that drops both marks is lost"

    def reach(self, leader: int, mark: Mark) -> Reach:
        """Reach the members by group and marks."""
        return CookieReach(leader, mark)
