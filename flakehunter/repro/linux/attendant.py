"""What a supervisor does beside watching: lets the loads run only while it matters, demotes who has settled.

Where a trial cannot tell when its test runs, a rehearsal under the tracer has told which process is the first victim of
a signal, by its place in the order of creation (`window_from`). The loads rest until a process of that number is there,
and rest again once it and all that came after it are gone: a runner's own start-up is not slowed, but the life of the
victims is, from birth to reaping. Polling costs little, because /proc/loadavg names the pid given out last: as long as
that stays the same there is nothing new to look for.
"""

import sys

assert sys.platform == "linux"

import os
import signal
import time
from collections.abc import Mapping
from typing import Any

from flakehunter.groupkill.linux.procfs import ProcessId, ProcessStat, children, descendants, read_stat

__all__ = ["Attendant"]

BEFORE_S = 0.001
"""Between two looks for the first victim: it has not executed its program by then."""
MEANWHILE_S = 0.005
SETTLING_S = 0.040
"""Life after which a process may be demoted: demoted from birth, an interpreter needs 10 s to start."""
DEMOTE_EVERY_S = 0.010
LEAST_NICE = b"19"


class Attendant:
    """Serves one trial; `due_s` is the moment of time.monotonic() at which `look` wants to be called next."""

    def __init__(self, spec: Mapping[str, Any], root: int, loads: tuple[int, ...]) -> None:
        self.root = root
        self.loads = frozenset(loads)
        self.window_from = int(spec["window_from"])
        self.demotes = bool(spec["demote"])
        self.due_s = 0.0 if self.window_from or self.demotes else float("inf")
        self._before: set[ProcessId] = set()
        self._last_pid = b""
        self._is_open = False
        self.was_open = False
        """Whether a process of the number `window_from` came at all."""
        self._born: dict[ProcessId, float] = {}
        self._demoted: set[ProcessId] = set()

    def window(self, *, opened: bool) -> None:
        """Let the loads run, or have them rest."""
        if opened != self._is_open:
            self._is_open = opened
            for load in self.loads:
                os.kill(load, signal.SIGCONT if opened else signal.SIGSTOP)

    def look(self) -> None:
        """Do what is due."""
        now = time.monotonic()
        if now < self.due_s:
            return
        pause = DEMOTE_EVERY_S if self.demotes else 1.0
        if self.window_from:
            self._watch_window()
            pause = min(pause, MEANWHILE_S if self.was_open else BEFORE_S)
        if self.demotes:
            self._demote(now)
        self.due_s = time.monotonic() + pause

    def _members(self) -> list[ProcessStat]:
        """Return the trial's processes but the command itself; orphans come to the supervisor, as the loads are."""
        found = []
        for child in children(os.getpid()):
            if child in self.loads:
                continue
            orphan = read_stat(child) if child != self.root else None
            if orphan is not None:
                found.append(orphan)
            found += descendants(child)
        return found

    def _watch_window(self) -> None:
        with open("/proc/loadavg", "rb") as file:  # noqa: PTH123
            last = file.read().split()[-1]
        if last == self._last_pid and not self._is_open:
            return
        self._last_pid = last
        members = {stat.identity for stat in self._members()}
        if not self.was_open:
            # The command is number 1.
            if len(self._before | members) + 1 < self.window_from:
                self._before |= members
                return
            self.was_open = True
        self.window(opened=bool(members - self._before))

    def _demote(self, now: float) -> None:
        """Give SCHED_IDLE (sched(7)) to every settled process that is no child of the command and has none itself."""
        members = self._members()
        parents = {stat.ppid for stat in members}
        own = os.getsid(self.root) if members else 0
        for stat in members:
            born = self._born.setdefault(stat.identity, now)
            near = stat.ppid == self.root
            if near or stat.pid in parents or stat.identity in self._demoted or now - born < SETTLING_S:
                continue
            self._demoted.add(stat.identity)
            try:
                os.sched_setscheduler(stat.pid, os.SCHED_IDLE, os.sched_param(0))
                if stat.sid != own:  # the test's own session would be slowed with it
                    with open(f"/proc/{stat.pid}/autogroup", "wb") as file:  # noqa: PTH123
                        file.write(LEAST_NICE)
            except OSError:
                continue  # it has ended, or autogroup is off
