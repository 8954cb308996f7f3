"""Backend `session`: a session of its own and every group in it; members that call setsid are named, not ended."""

import sys

assert sys.platform == "linux"

from collections.abc import Iterable

from flakehunter.groupkill.linux.backend import LinuxBackend
from flakehunter.groupkill.linux.marks import Mark
from flakehunter.groupkill.linux.procfs import ProcessStat
from flakehunter.groupkill.linux.reach import Reach
from flakehunter.groupkill.linux.track import Tracker

__all__ = ["SessionBackend"]


class SessionReach(Reach):
    """All processes of one session, through all of its process groups."""

    def __init__(self, leader: int) -> None:
        self.leader = leader

    def is_member(self, stat: ProcessStat) -> bool:
        """Whether it is in the session now."""
        return stat.sid == self.leader

    def groups(self, tracker: Tracker) -> Iterable[int]:
        """Those of living members: such a group's number cannot have been given out again."""
        return {tracked.last.pgid for tracked in tracker.living() if self.is_member(tracked.last)}


class SessionBackend(LinuxBackend):
    """setsid(2), then killpg(2) for each process group of the session."""

    name = "session"
    works = "a dry run ended its processes; members that call setsid leave the session"

    def options(self, name: str) -> list[str]:
        """Lead a new session from before exec."""
        return ["--new=session"]

    def reach(self, leader: int, mark: Mark) -> Reach:
        """Reach the members by the number of the session."""
        return SessionReach(leader)
