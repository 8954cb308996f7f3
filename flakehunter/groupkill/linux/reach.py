"""How one Linux backend finds and signals the members of a group; most backends change little of the usual way."""

import sys

assert sys.platform == "linux"

from abc import ABC, abstractmethod
from collections.abc import Iterable

from flakehunter.groupkill.linux.procfs import ProcessStat, snapshot
from flakehunter.groupkill.linux.track import Tracker

__all__ = ["Reach"]


class Reach(ABC):
    """The members of one group: who they are, and how a signal gets to them.

    A subclass needs `is_member` only. As it stands here a reach searches all of /proc, signals the process groups that
    `groups` names at one blow each, then every member outside of them, and made nothing that has to be removed.
    """

    kill_name = "SIGKILL"
    """What an escalation is called in the report: SIGKILL, cgroup.kill, ..."""
    ends_strays = False
    """Whether members that left the mechanism are killed too, and not only reported."""
    kills_at_once = False
    """Whether there is a `blow`."""

    @abstractmethod
    def is_member(self, stat: ProcessStat) -> bool:
        """Whether that process is a member, asked again once its pidfd is held."""

    def pids(self) -> Iterable[int]:
        """Return the pids of the members now; may hold dead ones.

        All processes are searched: an orphan of the group is nobody's child that we know.
        """
        return [stat.pid for stat in snapshot().values() if self.is_member(stat)]

    def groups(self, tracker: Tracker) -> Iterable[int]:
        """Return the process groups whose members are all members, and whose numbers cannot be anybody else's now."""
        return ()

    def signal(self, tracker: Tracker, number: int) -> None:
        """Send a signal to all members that `tracker` holds, SIGKILL by the strongest means there is.

        A group is signalled in one call: the kernel holds its lock, so no fork of a member gets away.
        """
        reached = [group for group in self.groups(tracker) if tracker.signal_group(group, number)]
        for tracked in tracker.living():
            if self.is_member(tracked.last):
                tracker.signal_one(tracked, number, reached)

    def blow(self, tracker: Tracker) -> bool:
        """Kill all members at once without a look at any of them; returns whether that was done."""
        return False

    def is_empty(self) -> bool | None:
        """Return the kernel's word on whether any member runs; None where it has none."""
        return None

    def release(self, deadline: float) -> list[str]:
        """Remove what was made for the group, until `deadline` (`time.monotonic()`); returns what went wrong."""
        return []
