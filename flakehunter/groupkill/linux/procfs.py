"""Process identity, state and family from Linux's /proc; standard library only, quick to import."""

import sys

assert sys.platform == "linux"

import os
from collections.abc import Iterator

from flakehunter.groupkill.records import ProcessId, ProcessStat

__all__ = [
    "ProcessId",
    "ProcessStat",
    "children",
    "descendants",
    "is_gone",
    "living_since",
    "parse_stat",
    "read_argv",
    "read_environ",
    "read_limit",
    "read_stat",
    "read_zombie_status",
    "snapshot",
    "stat_text",
]


def parse_stat(text: str) -> ProcessStat:
    """Parse one line of /proc/PID/stat.

    The command name may hold blanks and parentheses, so fields are counted from the last `)`.

    Raises:
        ValueError: it is not such a line.
    """
    opening, closing = text.index("("), text.rindex(")")
    fields = text[closing + 1 :].split()
    if len(fields) < 20:
        raise ValueError(f"only {len(fields)} fields after the command name: {text!r}")
    return ProcessStat(
        pid=int(text[:opening]),
        state=fields[0],
        ppid=int(fields[1]),
        pgid=int(fields[2]),
        sid=int(fields[3]),
        threads=int(fields[17]),
        start_ticks=int(fields[19]),
        comm=text[opening + 1 : closing],
    )


def _read(path: str) -> bytes | None:
    # os.open and not open(): a walk over 1,000 members reads thousands of these files.
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        parts = []
        while part := os.read(descriptor, 65536):
            parts.append(part)
        return b"".join(parts)
    except OSError:  # ESRCH: it ended between open and read
        return None
    finally:
        os.close(descriptor)


ONE_READ = 4096
MOST_LISTINGS = 50


def _read_at_once(path: str) -> bytes | None:
    """Read a file whose reads are only short at its end: not those that list records, such as `children`."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        text = os.read(descriptor, ONE_READ)
    except OSError:  # ESRCH: it ended between open and read
        return None
    finally:
        os.close(descriptor)
    return text if len(text) < ONE_READ else _read(path)


def stat_text(pid: int) -> str:
    """Return the text of /proc/PID/stat, to be parsed later; empty when no such process exists."""
    return (_read_at_once(f"/proc/{pid}/stat") or b"").decode("utf-8", "replace")


def read_stat(pid: int) -> ProcessStat | None:
    """Return the state of process `pid`, a zombie included, or None when no such process exists."""
    text = stat_text(pid)
    return parse_stat(text) if text else None


def read_zombie_status(pid: int) -> int | None:
    """Return the exit status of a zombie, as Popen.returncode; None for any other process.

    Field 52 of proc_pid_stat(5). The kernel shows 0 to whom it does not let look (PTRACE_MODE_READ_FSCREDS): ask only
    of processes below one's own.
    """
    text = stat_text(pid)
    if not text or not parse_stat(text).is_dead:
        return None
    return os.waitstatus_to_exitcode(int(text.rsplit(None, 1)[1]))


def read_argv(pid: int) -> tuple[str, ...]:
    """Return the command line of `pid`; empty for a zombie, a kernel thread or a process that is gone."""
    text = (_read_at_once(f"/proc/{pid}/cmdline") or b"").rstrip(b"\0")
    return tuple(text.decode("utf-8", "replace").split("\0")) if text else ()


def read_environ(pid: int) -> bytes | None:
    """Return the environment `pid` was started with, NUL between entries; None where it may not be read."""
    return _read(f"/proc/{pid}/environ")


def read_limit(pid: int, name: str) -> int | None:
    """Return the soft limit called `name` in /proc/PID/limits; None when it is unlimited or cannot be read."""
    text = _read_at_once(f"/proc/{pid}/limits")
    for line in (text or b"").decode("ascii", "replace").splitlines():
        if line.startswith(name):
            word = line[len(name) :].split(None, 1)[0]
            return int(word) if word.isdecimal() else None
    return None


def is_gone(identity: ProcessId, *, zombies_ok: bool = True) -> bool:
    """Whether that very process has ended; without `zombies_ok` it must also have been reaped."""
    stat = read_stat(identity.pid)
    if stat is None or stat.start_ticks != identity.start_ticks:
        return True
    return zombies_ok and stat.is_dead


def _pids() -> Iterator[str]:
    """Give the pid of every process, also of those that appear meanwhile.

    One listing is old when its end is read: a chain of processes that fork and exit would always be one pid ahead. The
    second and further ones hold only what is new, and so catch up with it.
    """
    seen: set[str] = set()
    for _ in range(MOST_LISTINGS):
        new = [name for name in os.listdir("/proc") if name.isdecimal() and name not in seen]  # noqa: PTH208
        if not new:
            return
        seen.update(new)
        yield from new


def snapshot() -> dict[int, ProcessStat]:
    """Return every process that can be seen, by pid; not atomic, but see `_pids`."""
    stats = (read_stat(int(pid)) for pid in _pids())
    return {stat.pid: stat for stat in stats if stat is not None}


def living_since(start_ticks: int) -> list[ProcessStat]:
    """Return every living process that was started at `start_ticks` or later.

    A search for young processes among many: the older ones are told by one number of their stat.
    """
    found = []
    for pid in _pids():
        text = _read_at_once(f"/proc/{pid}/stat")
        if text and int(text[text.rindex(b")") + 2 :].split(b" ", 20)[19]) >= start_ticks:
            stat = parse_stat(text.decode("utf-8", "replace"))
            if not stat.is_dead:
                found.append(stat)
    return found


def children(pid: int) -> list[int]:
    """Return the pids of the children of all threads of `pid`, zombies included.

    Reads /proc/PID/task/*/children (CONFIG_PROC_CHILDREN), which may miss one when a sibling ends during the read:
    callers that need all of them ask again. Falls back to a scan of all processes on kernels without it.
    """
    try:
        threads = os.listdir(f"/proc/{pid}/task")  # noqa: PTH208
    except OSError:
        return []
    found: list[int] = []
    for thread in threads:
        text = _read(f"/proc/{pid}/task/{thread}/children")
        if text is None:
            if os.path.exists(f"/proc/{pid}/task/{thread}/stat"):  # noqa: PTH110
                return [stat.pid for stat in snapshot().values() if stat.ppid == pid]
            continue  # the thread has ended
        found.extend(int(child) for child in text.split())
    return found


def descendants(pid: int) -> list[ProcessStat]:
    """Return all descendants of `pid`, parents before their children, zombies included, `pid` itself not."""
    found: list[ProcessStat] = []
    seen = {pid}
    waiting = [pid]
    while waiting:
        parent = waiting.pop(0)
        for child in children(parent):
            stat = read_stat(child) if child not in seen else None
            # A pid that was freed and given out again since the read has a parent outside the tree.
            if stat is not None and stat.ppid in seen:
                seen.add(child)
                found.append(stat)
                waiting.append(child)
    return found
