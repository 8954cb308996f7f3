"""Backend `session`: a session of its own and every group in it; members that call setsid are named, not ended."""

from collections.abc import Iterable

from flakehunter.groupkill.linux_backend import LinuxBackend
from flakehunter.groupkill.linux_group import Reach
from flakehunter.groupkill.marks import Mark
from flakehunter.groupkill.procfs import ProcessStat, snapshot
from flakehunter.groupkill.track import Tracker

__all__ = ["SessionBackend"]


class SessionReach:
    """All processes of one session, through all of its process groups."""

    kill_name = "SIGKILL"
    ends_strays = False

    def __init__(self, leader: int) -> None:
        self.leader = leader

    def pids(self) -> Iterable[int]:
        """Search all processes for the session's number."""
        return [stat.pid for stat in snapshot().values() if stat.sid == self.leader]

    def is_member(self, stat: ProcessStat) -> bool:
        """Whether it is in the session now."""
        return stat.sid == self.leader

    def signal(self, tracker: Tracker, number: int) -> None:
        """Signal the groups of living members: such a group's number cannot have been given out again."""
        groups = {tracked.last.pgid for tracked in tracker.living() if tracked.last.sid == self.leader}
        reached = [group for group in groups if tracker.signal_group(group, number)]
        for tracked in tracker.living():
            if tracked.last.sid == self.leader:
                tracker.signal_one(tracked, number, reached)

    def blow(self, tracker: Tracker) -> bool:
        """The members have to be known first."""
        return False

    def is_empty(self) -> bool | None:
        """The kernel has no word on sessions."""
        return None

    def release(self, deadline: float) -> list[str]:
        """Nothing was made."""
        return []


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
