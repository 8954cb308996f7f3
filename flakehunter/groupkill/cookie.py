"""Backend `cookie`: killpg first, then every process that carries the group's inherited marks, wherever it went."""

from collections.abc import Iterable

from flakehunter.groupkill.linux_backend import LinuxBackend
from flakehunter.groupkill.linux_group import Reach
from flakehunter.groupkill.marks import Mark
from flakehunter.groupkill.procfs import ProcessStat, snapshot
from flakehunter.groupkill.track import Tracker

__all__ = ["CookieBackend"]


class CookieReach:
    """All processes with a mark of the group, or in its process group."""

    kill_name = "SIGKILL"
    ends_strays = True

    def __init__(self, leader: int, mark: Mark) -> None:
        self.leader = leader
        self.mark = mark

    def pids(self) -> Iterable[int]:
        """Search all processes."""
        return [stat.pid for stat in snapshot().values() if self.is_member(stat)]

    def is_member(self, stat: ProcessStat) -> bool:
        """Whether it is in the process group or carries a mark."""
        if stat.pgid == self.leader:
            return True
        return stat.start_ticks >= self.mark.born_ticks and not stat.is_dead and self.mark.is_on(stat)

    def signal(self, tracker: Tracker, number: int) -> None:
        """Signal the process group at one blow, then each member outside of it."""
        tracker.signal_all(number, groups=[self.leader])

    def blow(self, tracker: Tracker) -> bool:
        """The members have to be known first."""
        return False

    def is_empty(self) -> bool | None:
        """The kernel knows nothing of marks."""
        return None

    def release(self, deadline: float) -> list[str]:
        """Nothing was made."""
        return []


class CookieBackend(LinuxBackend):
    """Jenkins' way (an environment variable) with a second mark that outlives an emptied environment."""

    name = "cookie"
    works = "a dry run ended its processes; a member that drops both marks is lost"

    def options(self, name: str) -> list[str]:
        """Lead a new process group: one blow at it is quicker than a search."""
        return ["--new=group"]

    def reach(self, leader: int, mark: Mark) -> Reach:
        """Reach the members by group and marks."""
        return CookieReach(leader, mark)
