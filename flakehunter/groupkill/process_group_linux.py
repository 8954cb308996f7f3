"""Backend `process-group`: a process group of its own and killpg(2); members that leave it are named, not ended."""

from collections.abc import Iterable

from flakehunter.groupkill.linux_backend import LinuxBackend
from flakehunter.groupkill.linux_group import Reach
from flakehunter.groupkill.marks import Mark
from flakehunter.groupkill.procfs import ProcessStat, snapshot
from flakehunter.groupkill.track import Tracker

__all__ = ["ProcessGroupBackend"]


class GroupReach:
    """All processes of one process group, wherever they hang in the tree."""

    kill_name = "SIGKILL"
    ends_strays = False

    def __init__(self, leader: int) -> None:
        self.leader = leader

    def pids(self) -> Iterable[int]:
        """Search all processes: an orphan of the group is nobody's child that we know."""
        return [stat.pid for stat in snapshot().values() if stat.pgid == self.leader]

    def is_member(self, stat: ProcessStat) -> bool:
        """Whether it is in the group now."""
        return stat.pgid == self.leader

    def signal(self, tracker: Tracker, number: int) -> None:
        """Signal the group in one call: the kernel holds its lock, so no fork of a member gets away."""
        reached = [self.leader] if tracker.signal_group(self.leader, number) else []
        for tracked in tracker.living():
            if tracked.last.pgid == self.leader:
                tracker.signal_one(tracked, number, reached)

    def blow(self, tracker: Tracker) -> bool:
        """The members have to be known first."""
        return False

    def is_empty(self) -> bool | None:
        """No word of the kernel's: its answer counts zombies."""
        return None

    def release(self, deadline: float) -> list[str]:
        """Nothing was made."""
        return []


class ProcessGroupBackend(LinuxBackend):
    """setpgid(2) and killpg(2), as most test runners do."""

    name = "process-group"
    works = "a dry run ended its processes; members that call setsid or setpgid leave the group"

    def options(self, name: str) -> list[str]:
        """Lead a new process group from before exec: no race between setpgid and the first fork."""
        return ["--new=group"]

    def reach(self, leader: int, mark: Mark) -> Reach:
        """Reach the members by the number of the group."""
        return GroupReach(leader)
