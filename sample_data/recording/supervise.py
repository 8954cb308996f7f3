"""Run one command as a CI machine would: alone, with a time limit, and with nothing of it left afterwards.

`python supervise.py LIMIT_S HOSTNAME [CGROUP_TASKS_FILE] -- COMMAND…` exits with the command's code, 124 at the limit.
The command gets a session of its own. This process is its subreaper (prctl(2)): orphans come here and are reaped at
once, as the init of a CI machine does it, and not after seconds by the init of a small container.
"""

import ctypes
import os
import signal
import socket
import sys
import time
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36
PR_SET_PDEATHSIG = 1
CLONE_NEWUTS = 0x04000000
TIMED_OUT = 124


def main() -> int:
    """Parse the words before `--`, run the command after it, and return its exit code."""
    middle = sys.argv.index("--")
    limit_s, hostname, *tasks_file = sys.argv[1:middle]
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) or libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")
    # JUnit files carry the host name: a made-up one where we may, the machine's own where not (needs root).
    if libc.unshare(CLONE_NEWUTS) == 0:
        socket.sethostname(hostname)
    signal.signal(signal.SIGTERM, _interrupted)
    for file in tasks_file:
        Path(file).write_text(str(os.getpid()))
    try:
        return _run(sys.argv[middle + 1 :], time.monotonic() + float(limit_s))
    finally:
        _end_all()


def _interrupted(signum: int, frame: object) -> None:
    raise SystemExit(128 + signum)


def _run(argv: list[str], deadline: float) -> int:
    child = os.fork()
    if child == 0:
        os.setsid()
        for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        try:
            os.execvp(argv[0], argv)
        except OSError as error:
            print(f"{argv[0]}: {error.strerror}", file=sys.stderr)
        os._exit(127)
    # SIGCHLD wakes sigtimedwait, so that orphans are reaped within the millisecond in which they end.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    while time.monotonic() < deadline:
        while (ended := _reap_one()) is not None:
            if ended[0] == child:
                return os.waitstatus_to_exitcode(ended[1]) % 256
        signal.sigtimedwait({signal.SIGCHLD}, min(1.0, max(0.0, deadline - time.monotonic())))
    return TIMED_OUT


def _reap_one() -> tuple[int, int] | None:
    try:
        pid, status = os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return None
    return (pid, status) if pid else None


def _end_all() -> None:
    """Kill every descendant, again and again, until waitpid(2) says that there is none."""
    while True:
        for pid in _descendants():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        try:
            if os.waitpid(-1, os.WNOHANG) == (0, 0):
                signal.sigtimedwait({signal.SIGCHLD}, 0.05)
        except ChildProcessError:
            return


def _descendants() -> list[int]:
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    found, frontier = [], {os.getpid()}
    while frontier:
        frontier = {pid for pid, parent in parents.items() if parent in frontier}
        found.extend(frontier)
    return found


if __name__ == "__main__":
    sys.exit(main())
