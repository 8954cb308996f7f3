"""Backend `naive`: kill the direct child only; kept on purpose as the flawed baseline that fixes are compared with."""

from collections.abc import Iterable

from flakehunter.groupkill.linux_backend import LinuxBackend
from flakehunter.groupkill.linux_group import Reach
from flakehunter.groupkill.marks import Mark
from flakehunter.groupkill.procfs import ProcessStat
from flakehunter.groupkill.track import Tracker

__all__ = ["NaiveBackend"]


class ChildReach:
    """The direct child and nobody else."""

    kill_name = "SIGKILL"
    ends_strays = False

    def __init__(self, leader: int) -> None:
        self.leader = leader

    def pids(self) -> Iterable[int]:
        """The child only."""
        return [self.leader]

    def is_member(self, stat: ProcessStat) -> bool:
        """Whether it is the child."""
        return stat.pid == self.leader

    def signal(self, tracker: Tracker, number: int) -> None:
        """Signal the child."""
        for tracked in tracker.living():
            if tracked.first.pid == self.leader:
                tracker.signal_one(tracked, number)

    def blow(self, tracker: Tracker) -> bool:
        """The members have to be known first."""
        return False

    def is_empty(self) -> bool | None:
        """Only the tracker knows."""
        return None

    def release(self, deadline: float) -> list[str]:
        """Nothing was made."""
        return []


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
