"""Backend `process-tree`: psutil's walk over children of children, stopped before the kill, until it is stable."""

import sys

assert sys.platform == "linux"

import signal
from collections.abc import Iterable

from flakehunter.groupkill.linux.backend import LinuxBackend
from flakehunter.groupkill.linux.marks import Mark
from flakehunter.groupkill.linux.procfs import ProcessId, ProcessStat, read_stat
from flakehunter.groupkill.linux.reach import Reach
from flakehunter.groupkill.linux.track import Tracker

__all__ = ["ProcessTreeBackend"]

MOST_WALKS = 100


class TreeReach(Reach):
    """The leader and its descendants, remembered: once a parent is dead its children are no longer found below it."""

    kill_name = "SIGSTOP, SIGKILL"

    def __init__(self, leader: int) -> None:
        self.leader = leader
        self.known: set[ProcessId] = set()
        self._found: set[int] = {leader}

    def pids(self) -> Iterable[int]:
        """Walk the tree below the leader and below every member seen so far."""
        import psutil  # 20 ms

        found = {self.leader}
        for root in self._roots():
            try:
                found.update([root, *(child.pid for child in psutil.Process(root).children(recursive=True))])
            except psutil.Error:  # gone: its children have another parent now
                continue
        self._found = found
        return found

    def _roots(self) -> list[int]:
        """Return the leader and the known members that hang below nobody known: each walk reads all of /proc."""
        pids = {identity.pid for identity in self.known} | {self.leader}
        stats = [stat for stat in (read_stat(pid) for pid in pids) if stat is not None and not stat.is_dead]
        orphans = [stat.pid for stat in stats if stat.ppid not in pids and stat.identity in self.known]
        return [self.leader, *(pid for pid in orphans if pid != self.leader)]

    def is_member(self, stat: ProcessStat) -> bool:
        """Whether the walk found it, and its parent is one of the tree."""
        if stat.pid not in self._found:
            return False
        parents = {self.leader} | {identity.pid for identity in self.known} | self._found
        if stat.pid != self.leader and stat.ppid not in parents:
            return stat.identity in self.known
        self.known.add(stat.identity)
        return True

    def signal(self, tracker: Tracker, number: int) -> None:
        """Stop all until a walk finds nobody new, so that none can fork, then send the signal, then let them go on."""
        if number == signal.SIGKILL:
            tracker.signal_new(signal.SIGSTOP)
            for _ in range(MOST_WALKS):
                new = [pid for pid in self.pids() if not tracker.recognise(pid) and tracker.take(pid, self.is_member)]
                if not new:
                    break
                tracker.signal_new(signal.SIGSTOP)
        tracker.signal_all(number)


class ProcessTreeBackend(LinuxBackend):
    """psutil.Process.children(recursive=True): what tree-kill and many recipes do, with stop before kill."""

    name = "process-tree"
    works = "a dry run ended its processes; orphans whose parent ended before the walk are lost"

    def options(self, name: str) -> list[str]:
        """Contain nothing: the tree is found by walking."""
        return []

    def reach(self, leader: int, mark: Mark) -> Reach:
        """Reach the members by walking."""
        return TreeReach(leader)
