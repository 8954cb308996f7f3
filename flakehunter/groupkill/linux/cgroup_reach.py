"""Reach the members of a cgroup, version 2 or the version 1 freezer, and remove it when it is empty."""

import sys

assert sys.platform == "linux"

import errno
import os
import signal
import time
from collections.abc import Iterable
from pathlib import Path

from flakehunter.groupkill.linux.procfs import ProcessStat, read_stat
from flakehunter.groupkill.linux.reach import Reach
from flakehunter.groupkill.linux.track import Tracker

__all__ = ["CgroupReach", "FreezerReach", "make_group", "remove_leftovers", "remove_tree"]

PREFIX = "flakehunter-"
LINKS_WITHOUT_CHILDREN = 2
REMOVED = frozenset({errno.ENOENT, errno.ENODEV})
"""The cgroup is gone, before open or after it: a member or systemd removed it, which the kernel allows of an empty one
only."""


def make_group(parent: Path, name: str) -> Path:
    """Create the cgroup of a group below `parent`; its name says who owns it, so that leftovers can be told.

    Raises:
        OSError: it may not be created there.
    """
    stat = read_stat(os.getpid())
    assert stat is not None
    folder = parent / f"{PREFIX}{stat.pid}-{stat.start_ticks}-{name}"
    folder.mkdir()
    return folder


def remove_leftovers(parent: Path) -> list[Path]:
    """Kill and remove the cgroups below `parent` whose owner crashed; returns those that were there.

    Where this user may not write to `parent` nothing is looked at: none of them could be removed.
    """
    found: list[Path] = []
    if not os.access(parent, os.W_OK):
        return found
    for folder in parent.glob(f"{PREFIX}*-*-*"):
        pid, start, _ = folder.name.removeprefix(PREFIX).split("-", 2)
        owner = read_stat(int(pid)) if pid.isdecimal() else None
        if owner is not None and str(owner.start_ticks) == start and not owner.is_dead:
            continue  # a zombie owns nothing any more, and an init may take its time to reap it
        found.append(folder)
        for member in _read_pids(folder):
            try:
                os.kill(member, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                continue  # it has ended, or it is another user's, and so is the cgroup
        remove_tree(folder, time.monotonic() + 1.0)
    return found


def _read_pids(folder: Path) -> list[int]:
    """Return the pids in a cgroup and in those below it; the list may hold one twice."""
    pids = []
    for directory in _with_those_below(folder):
        try:
            with open(f"{directory}/cgroup.procs", "rb") as file:  # noqa: PTH123 - before a kill every 0.1 ms counts
                pids += [int(pid) for pid in file.read().split()]
        except OSError:  # ENODEV, ENOENT: removed meanwhile
            continue
    return [pid for pid in pids if pid]  # 0 is a process of another pid namespace


def _with_those_below(folder: Path) -> list[str]:
    """Return a cgroup and those below it; most have none, which the count of links tells without a listing."""
    try:
        if os.stat(folder).st_nlink == LINKS_WITHOUT_CHILDREN:  # noqa: PTH116
            return [str(folder)]
    except OSError:
        return []
    return [directory for directory, _, _ in os.walk(folder)]


def remove_tree(folder: Path, deadline: float) -> list[str]:
    """Remove a cgroup and those below it; EBUSY is waited out until `deadline` (`time.monotonic()`)."""
    error: OSError | None = None
    pause = 0.0005
    while True:
        for directory, _, _ in os.walk(folder, topdown=False):
            try:
                os.rmdir(directory)  # noqa: PTH106
            except FileNotFoundError:
                pass
            except OSError as failure:
                error = failure
        if not folder.exists():
            return []
        if time.monotonic() >= deadline:
            number = errno.errorcode.get(error.errno or 0, "?") if error else "?"
            return [f"rmdir {folder}: {number}: still in use"]
        time.sleep(pause)
        pause = min(pause * 2, 0.02)


class CgroupReach(Reach):
    """A cgroup of version 2: the kernel knows all members, kills them at one blow, and says when it is empty."""

    kill_name = "cgroup.kill"
    ends_strays = True
    kills_at_once = True

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.inside = os.fsencode("/" + folder.name)

    def pids(self) -> Iterable[int]:
        """Read cgroup.procs, of cgroups that members made below, too."""
        return _read_pids(self.folder)

    def is_member(self, stat: ProcessStat) -> bool:
        """Whether it is in this cgroup or in one below."""
        try:
            with open(f"/proc/{stat.pid}/cgroup", "rb") as file:  # noqa: PTH123
                return any(self.inside in line for line in file if line.startswith(self.line_start))
        except OSError:
            return False

    line_start = b"0::"

    def signal(self, tracker: Tracker, number: int) -> None:
        """Kill by cgroup.kill, which forks cannot outrun (kernel 5.14); other signals go to each member."""
        if number != signal.SIGKILL or not self._kill(tracker):
            tracker.signal_all(number)
            return
        for tracked in tracker.living():
            tracker.note_signal(tracked, number)

    def blow(self, tracker: Tracker) -> bool:
        """Write cgroup.kill."""
        return self._kill(tracker)

    def _kill(self, tracker: Tracker) -> bool:
        try:
            (self.folder / "cgroup.kill").write_text("1")
        except OSError as error:
            if error.errno not in REMOVED:  # then nobody is left to kill
                tracker.note("cgroup.kill", error)
                return False
        return True

    def is_empty(self) -> bool | None:
        """Read cgroup.events: populated counts living processes here and below, zombies not."""
        try:
            return "populated 0" in (self.folder / "cgroup.events").read_text()
        except OSError as error:
            if error.errno in REMOVED:
                return True
            raise

    def release(self, deadline: float) -> list[str]:
        """Remove the cgroup."""
        return remove_tree(self.folder, deadline)


class FreezerReach(CgroupReach):
    """A cgroup of the version 1 freezer: frozen members cannot fork, so their list stays true while it is killed."""

    kill_name = "freeze, SIGKILL, thaw"
    kills_at_once = False  # the freezer kills nobody: it needs the list
    line_start = b""

    def signal(self, tracker: Tracker, number: int) -> None:
        """Freeze before SIGKILL, so that no fork is missed, then let them go on to die."""
        if number != signal.SIGKILL:
            tracker.signal_all(number)
            return
        self._state("FROZEN", tracker)
        for pid in self.pids():
            if not tracker.recognise(pid):
                tracker.take(pid, self.is_member)
        tracker.signal_new(signal.SIGKILL)
        self._state("THAWED", tracker)

    def _state(self, state: str, tracker: Tracker) -> None:
        for directory, _, _ in os.walk(self.folder):
            try:
                Path(directory, "freezer.state").write_text(state)
            except FileNotFoundError:
                continue
            except OSError as error:
                tracker.note(f"freezer.state {state}", error)

    def is_empty(self) -> bool | None:
        """Whether the lists of members are empty: version 1 has no events file."""
        living = (read_stat(pid) for pid in self.pids())
        return not any(stat is not None and not stat.is_dead for stat in living)
