"""The process above a traced command; run as the script
`keeper.py PACKAGE_ROOT CONTROL_FD FIFO FILTERS STRACE_ARGV…`.

It is the child subreaper, so orphans of the command come to it and are reaped at once. When the other end of the
control descriptor closes (the tracer has seen enough, or was killed), it ends strace and everything below, and itself.
It removes the fifo with its folder, which a tracer that was killed at once had no time for.

FILTERS is `-`, or two descriptors, `START,STOP`, of the filters of stops.py. Then strace is made to believe that its
own filter is there, and launch.py takes on the second one below it.
"""

import contextlib
import os
import select
import signal
import sys

if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])

from flakehunter.groupkill.linux.sweep import become_subreaper, sweep
from flakehunter.trace import launch, seccomp

SWEEP_DEADLINE_S = 10.0
LONGEST_TRIAL = 16
"""Instructions of the largest filter that strace takes on to try out the kernel; its real one has one for each call."""

NO_FILTER = 1 << 16
"""More instructions than a filter can have."""
DEFAULT_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGPIPE, signal.SIGXFSZ)
"""What this process, or Python at its start, ignores or handles."""


def main() -> int:
    """Start strace, reap until the control descriptor closes, then end all that is left."""
    control = int(sys.argv[2])
    os.set_inheritable(control, False)
    become_subreaper()
    # The terminal's Ctrl-C is for the command and for the tracer, which then closes the control descriptor.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    wake, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    argv, listener = _with_filters(sys.argv[4], sys.argv[5:])
    strace = _start(argv, filtered=bool(listener))
    believes = False
    while True:
        ready, _, _ = select.select([control, wake, *listener], [], [])
        for one in listener:
            if one in ready:
                believes = seccomp.decide(one, NO_FILTER if believes else LONGEST_TRIAL) or believes
        if wake in ready:
            os.read(wake, 4096)
            _reap(control, strace)
        if control in ready and _is_closed(control):
            break
    sweep(deadline_s=SWEEP_DEADLINE_S)
    for remove, path in ((os.unlink, sys.argv[3]), (os.rmdir, os.path.dirname(sys.argv[3]))):  # noqa: PTH120
        with contextlib.suppress(FileNotFoundError):
            remove(path)
    return 0


def _is_closed(control: int) -> bool:
    try:
        return not os.read(control, 1)
    except ConnectionResetError:  # closed before it had read what is written below
        return True


def _with_filters(filters: str, argv: list[str]) -> tuple[list[str], list[int]]:
    """Take on the first filter; return the command line of strace, and the descriptor that asks for answers."""
    if filters == "-":
        return argv, []
    start, stop = map(int, filters.split(","))
    program = os.pread(start, launch.LARGEST_FILTER, 0)
    os.close(start)
    try:
        listener = seccomp.listen(program)
    except OSError:  # a container's own filter may forbid it: strace's own does then, and is slower
        os.close(stop)
        return argv, []
    command = argv.index("--") + 1
    step = [sys.executable, "-I", "-S", launch.__file__, sys.argv[1], str(stop)]
    return [*argv[:command], *step, *argv[command:]], [listener]


def _start(argv: list[str], *, filtered: bool) -> int:
    """Start strace and return its pid: below the filter by execveat(2), since execve(2) stops for a tracer there."""
    program: str | int = os.open(argv[0], os.O_RDONLY) if filtered else argv[0]
    pid = os.fork()
    if pid:
        if isinstance(program, int):
            os.close(program)
        return pid
    try:
        for number in DEFAULT_SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        os.execve(program, argv, launch.first_environment())
    finally:
        os._exit(127)


def _reap(control: int, strace: int) -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        if pid == strace:
            with contextlib.suppress(BrokenPipeError):
                os.write(control, f"{os.waitstatus_to_exitcode(status)}\n".encode())


if __name__ == "__main__":
    raise SystemExit(main())
