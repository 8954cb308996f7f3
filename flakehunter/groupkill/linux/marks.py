"""Marks that every member of a group inherits, to find members that left the group; Linux.

Two of them, independent of each other:

- an environment variable, as Jenkins' ProcessTreeKiller sets it; gone where a program empties its environment, and
  unreadable for other users' processes;
- the soft limit of a resource that has no effect: RLIMIT_LOCKS (ignored since Linux 2.4.25, see setrlimit(2)), set to
  a random number. It is inherited over fork, setsid and exec, outlives an emptied environment and closed
  descriptors, and /proc/PID/limits shows it to everybody. Only a process that sets that very limit itself loses it.
"""

import sys

assert sys.platform == "linux"

import os
import resource
import secrets
from dataclasses import dataclass

from flakehunter.groupkill.linux.procfs import ProcessStat, living_since, read_environ, read_limit

__all__ = ["COOKIE_VARIABLE", "Mark", "new_mark"]

COOKIE_VARIABLE = "FLAKEHUNTER_GROUP"

# Python's resource module has no name for it; the number is the same on all architectures but MIPS, SPARC and Alpha.
RLIMIT_LOCKS = 10
NO_EFFECT = {RLIMIT_LOCKS: "Max file locks", 15: "Max realtime timeout"}
"""Resources to mark, with their names in /proc/PID/limits. RLIMIT_RTTIME (15) only binds real-time threads, and the
marks are beyond 10,000 years of their CPU time; it serves groups inside a marked group."""


@dataclass(frozen=True, slots=True)
class Mark:
    """The marks of one group; `resource` is None where none was free, and then only the cookie is left."""

    cookie: str
    resource: int | None
    number: int
    born_ticks: int
    """Start time of the process that made the mark up: members are younger than it or as old."""

    def environment(self, env: dict[str, str]) -> dict[str, str]:
        """Return `env` with the cookie in it; inside another group both cookies are kept."""
        outer = env.get(COOKIE_VARIABLE, "")
        return {**env, COOKIE_VARIABLE: f"{outer}:{self.cookie}" if outer else self.cookie}

    def has_cookie(self, stat: ProcessStat) -> bool:
        """Whether that process was started with the cookie in its environment."""
        environ = read_environ(stat.pid)
        if not environ:
            return False
        name = COOKIE_VARIABLE.encode() + b"="
        cookie = self.cookie.encode()
        return any(entry.startswith(name) and cookie in entry for entry in environ.split(b"\0"))

    def has_limit(self, stat: ProcessStat) -> bool:
        """Whether that process has the marked resource limit."""
        return self.resource is not None and read_limit(stat.pid, NO_EFFECT[self.resource]) == self.number

    def is_on(self, stat: ProcessStat) -> bool:
        """Whether that process carries any of the marks."""
        return self.has_limit(stat) or self.has_cookie(stat)

    def find(self) -> list[ProcessStat]:
        """Return the living processes that carry a mark."""
        own = os.getpid()
        return [stat for stat in living_since(self.born_ticks) if stat.pid != own and self.is_on(stat)]


def new_mark() -> Mark:
    """Make up the mark of a new group."""
    free = next(
        (kind for kind in NO_EFFECT if resource.getrlimit(kind)[0] == resource.RLIM_INFINITY),
        None,
    )
    # Far above what anybody would set, below RLIM_INFINITY in signed 64 bits.
    number = (1 << 61) + secrets.randbits(60)
    with open("/proc/uptime") as file:  # noqa: PTH123
        uptime_s = float(file.read().split()[0])
    born = int((uptime_s - 1) * os.sysconf("SC_CLK_TCK"))
    return Mark(secrets.token_hex(8), free, number, born)
