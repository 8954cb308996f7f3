"""Find processes that a test left behind: below this process, or orphaned, by a mark that all children inherit."""

import sys

assert sys.platform == "linux"

import os
import signal
import time

from flakehunter.groupkill.linux.marks import Mark, new_mark
from flakehunter.groupkill.linux.procfs import ProcessId, ProcessStat, descendants, read_argv
from flakehunter.groupkill.linux.track import Tracker

__all__ = ["LeakWatch"]

END_DEADLINE_S = 5.0
EXIT_GRACE_S = 0.2


class LeakWatch:
    """Looks before and after each test; not a subreaper, since that would change what the tests themselves see.

    The mark is set on this very process for the whole session, so every process that a test starts has it, also one
    that emptied its environment and left for init.
    """

    def __init__(self) -> None:
        import resource

        self.mark: Mark = new_mark()
        if self.mark.resource is not None:
            hard = resource.getrlimit(self.mark.resource)[1]
            resource.setrlimit(self.mark.resource, (self.mark.number, hard))
        else:
            # Inside another marked group: the environment has to do.
            os.environ.update(self.mark.environment(dict(os.environ)))
        self._spared: set[ProcessId] = set(self._now())

    def _now(self) -> dict[ProcessId, ProcessStat]:
        found = {stat.identity: stat for stat in self.mark.find()}
        found.update({stat.identity: stat for stat in descendants(os.getpid()) if not stat.is_dead})
        return found

    def spare_all(self) -> None:
        """Take all that runs now for granted: what was there before a test, or belongs to a fixture that lives on."""
        self._spared = set(self._now())

    def end_new(self, *, also_spared: bool = False) -> list[str]:
        """End what a test left, and return one line for each: pid, command, how it hangs in the tree."""
        left = {identity: stat for identity, stat in self._now().items() if also_spared or identity not in self._spared}
        if not left:
            return []
        tracker = Tracker()
        try:
            for identity in left:
                tracker.take(identity.pid, lambda stat, wanted=identity: stat.identity == wanted)  # type: ignore[misc]
            # What is on its way out is no leak: a child that was signalled and not waited for gets a moment.
            end = time.monotonic() + EXIT_GRACE_S
            while tracker.living() and time.monotonic() < end:
                tracker.note_deaths(end - time.monotonic())
            lines = [self._describe(tracked.first) for tracked in tracker.living()]
            tracker.signal_all(signal.SIGKILL)
            end = time.monotonic() + END_DEADLINE_S
            while tracker.living() and time.monotonic() < end:
                tracker.note_deaths(0.05)
        finally:
            tracker.close()
        return lines

    def _describe(self, stat: ProcessStat) -> str:
        how = "" if stat.ppid == os.getpid() else f", child of {stat.ppid}"
        if stat.pgid != os.getpgrp():
            how += ", in a process group of its own" if stat.sid == os.getsid(0) else ", in a session of its own"
        return f"pid {stat.pid} ({stat.state}) {' '.join(read_argv(stat.pid)) or stat.comm}{how}"
