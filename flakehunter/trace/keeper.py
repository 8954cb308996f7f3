"""The process above a traced command; run as the script `keeper.py PACKAGE_ROOT CONTROL_FD FIFO STRACE_ARGV…`.

It is the child subreaper, so orphans of the command come to it and are reaped at once. When the other end of the
control descriptor closes (the tracer has seen enough, or was killed), it ends strace and everything below, and itself.
It removes the fifo with its folder, which a tracer that was killed at once had no time for.
"""

import contextlib
import os
import select
import signal
import subprocess
import sys

if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])

from flakehunter.groupkill.linux.sweep import become_subreaper, sweep

SWEEP_DEADLINE_S = 10.0


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
    strace = subprocess.Popen(sys.argv[4:], preexec_fn=_default_signals)  # noqa: PLW1509 - there are no threads here
    while True:
        ready, _, _ = select.select([control, wake], [], [])
        if wake in ready:
            os.read(wake, 4096)
            _reap(control, strace.pid)
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


def _default_signals() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)


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
