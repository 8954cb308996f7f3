"""Process trees that group kills have to end, and an observer that does not rely on any backend's bookkeeping."""

import contextlib
import os
import secrets
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

__all__ = ["TREES", "UNTIL_NAMED_SLEEP", "Observer", "Tree"]

UNTIL_STOPPED = "until read -r _ _ state _ < /proc/$pid/stat; [ $state = T ]; do :; done"
UNTIL_SLEEP = "until [ $(cat /proc/$pid/comm) = sleep ]; do :; done"
UNTIL_NAMED_SLEEP = "until read -r -d '' word </proc/$!/cmdline && [ $word = sleep ]; do :; done"
"""Waits for the last background job: in the middle of an exec the program is new and the command line still empty."""

NO_MEMBERS = (b"pgrep", b"groupkill/linux/supervisor.py")

# A vfork parent waits in state D until its child execs or ends; here the child does neither.
VFORK = """
import ctypes, os, signal
libc = ctypes.PyDLL(None)
read, write = os.pipe()
if libc.vfork() == 0:
    libc.write(1, b"up\\n", 3)
    while True:
        libc.pause()
"""
REEXEC = """
import os, sys, time
count = int(sys.argv[2])
if count == 0:
    print("up", flush=True)
time.sleep(0.005)
os.execv(sys.executable, [sys.executable, "-I", "-S", sys.argv[0], sys.argv[1], str(count + 1)])
"""


@dataclass(frozen=True)
class Tree:
    """A shell script (or Python program) that prints `up` once it stands; TAG is replaced by the observer's mark."""

    script: str
    members: int
    """How many of them run at least once it stands."""
    python: bool = False
    leaves_group: bool = False
    """Whether a member leaves the process group, so that killpg alone does not reach it."""


TREES = {
    "shell-and-sleep": Tree("sleep TAG & echo up; wait", 2),
    "fifty": Tree("for i in {1..50}; do sleep TAG & done; echo up; wait", 51),
    "setsid": Tree("setsid sleep TAG & pid=$!; " + UNTIL_SLEEP + "; echo up; wait", 2, leaves_group=True),
    "daemon": Tree(
        "(setsid bash -c 'env -i sleep TAG <&- >&- 2>&- & echo $! >&3' TAG &) 3>&1 | read -r pid; "
        "until pgrep -f '^sleep TAG$' >/dev/null; do :; done; echo up; sleep TAG",
        2,
        leaves_group=True,
    ),
    "ignores-term": Tree("trap '' TERM; sleep TAG & echo up; while :; do wait; done", 2),
    # One child is there before the blow, however slow the leader is to start the others.
    "fork-storm": Tree("sleep TAG & echo up; for i in {1..199}; do sleep TAG & done; wait", 2),
    "fork-chain": Tree("hop() { [ $1 = 0 ] && exec sleep TAG; hop $(($1 - 1)) & }; echo up; hop 30; sleep TAG", 1),
    # The leader handles SIGTERM and waits on: if it died first, the kernel itself would continue the orphaned group.
    "stopped": Tree(
        "trap : TERM; sleep TAG & pid=$!; "
        + UNTIL_SLEEP
        + "; kill -STOP $pid; "
        + UNTIL_STOPPED
        + "; echo up; while kill -0 $pid; do wait $pid; done",
        2,
    ),
    "exits-at-once": Tree("echo up; exit 7 # TAG", 0),
    "leader-gone": Tree("sleep TAG & echo up; exit 0", 1),
    "slow-handler": Tree("trap 'sleep 0.2; exit 0' TERM; sleep TAG & echo up; while :; do wait; done", 2),
    "vfork-parent": Tree(VFORK, 2, python=True),
    "re-exec": Tree(REEXEC, 1, python=True),
}


class Observer:
    """Finds the members of one tree by a mark in their command lines, which neither setsid nor `env -i` removes."""

    def __init__(self, folder: Path) -> None:
        # A number of seconds that sleep accepts and nobody else uses.
        self.mark = f"9{secrets.randbelow(10**9):09d}"
        self.folder = folder

    def argv(self, tree: Tree) -> list[str]:
        """Return the command of `tree`, marked."""
        if tree.python:
            program = self.folder / f"tree-{self.mark}.py"
            program.write_text(tree.script)
            return [sys.executable, "-I", "-S", str(program), self.mark, "0"]
        return ["bash", "-c", tree.script.replace("TAG", self.mark)]

    def living(self) -> set[int]:
        """Return the pids of the living members now."""
        found: set[int] = set()
        seen: set[str] = set()
        # Until a listing shows nobody new: a chain that forks and exits is ahead of a single one.
        while new := {name for name in os.listdir("/proc") if name.isdecimal()} - seen:  # noqa: PTH208
            seen |= new
            found.update(int(pid) for pid in new if self._is_living_member(pid))
        return found - {os.getpid()}

    def _is_living_member(self, pid: str) -> bool:
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes()
            # A supervisor has its command's arguments in its own; it is no member.
            if self.mark.encode() not in words or any(word in words for word in NO_MEMBERS):
                return False
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return False
        return state not in "ZX"

    def wait_for(self, count: int, deadline_s: float = 90.0) -> set[int]:
        """Wait until `count` members run and return them."""
        end = time.monotonic() + deadline_s
        pause = 0.005
        while len(found := self.living()) < count:
            assert time.monotonic() < end, f"only {len(found)} of {count} members after {deadline_s} s"
            time.sleep(pause)  # a look reads all of /proc, and takes the time that the members need
            pause = min(2 * pause, 0.1)
        return found

    def end_all(self) -> None:
        """Kill what a backend left, by other means than a backend's."""
        while found := self.living():
            for pid in found:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
