"""The few ptrace(2) requests that a tracing supervisor needs, through ctypes; Linux only, any architecture.

Nothing here reads or writes registers, so x86-64 and arm64 are alike.
"""

import sys

assert sys.platform == "linux"

import ctypes
import errno
import os
import signal
from typing import NamedTuple

PTRACE_CONT = 7
PTRACE_GETEVENTMSG = 0x4201
PTRACE_GETSIGINFO = 0x4202
PTRACE_SEIZE = 0x4206
PTRACE_LISTEN = 0x4208

OPTIONS = 0x2 | 0x4 | 0x8 | 0x10 | 0x40 | 0x100000
"""TRACEFORK, TRACEVFORK, TRACECLONE, TRACEEXEC, TRACEEXIT, EXITKILL: all dies with the tracer, SIGKILL included."""

EVENT_FORK, EVENT_VFORK, EVENT_CLONE, EVENT_EXEC, EVENT_EXIT, EVENT_STOP = 1, 2, 3, 4, 6, 128
NEW_CHILD = (EVENT_FORK, EVENT_VFORK, EVENT_CLONE)
WALL = 0x40000000
GROUP_STOPS = (signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU)

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.restype = ctypes.c_long
_libc.ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)


class Stop(NamedTuple):
    """A wait status, taken apart: `event` is 0 for a signal that is about to be delivered, -1 for the end."""

    event: int
    signal: int
    code: int | None
    """As Popen.returncode, for the end; None else."""


def take_apart(status: int) -> Stop:
    """Return what a status of waitpid(2) says of a tracee."""
    if os.WIFSTOPPED(status):
        return Stop(status >> 16, os.WSTOPSIG(status), None)
    return Stop(-1, 0, os.waitstatus_to_exitcode(status))


def seize(tid: int) -> None:
    """Begin to trace `tid` without stopping it, and all that comes from it.

    Raises:
        OSError: not allowed (yama, seccomp, another tracer), or it is gone.
    """
    _call(PTRACE_SEIZE, tid, OPTIONS)


def go_on(tid: int, number: int = 0) -> None:
    """Let a stopped tracee go on, with signal `number` delivered; nothing happens when SIGKILL took it meanwhile.

    SIGKILL wakes it from any stop, and on its way out it stops once more, for EVENT_EXIT. PTRACE_CONT does not say
    which stop it is for: it would end that one before anybody heard of it. So a stop that nobody has waited for yet is
    left alone. Between the question and the request there is still a moment: the tracer has to expect an end without
    EVENT_EXIT.
    """
    if not _has_news(tid):
        _call(PTRACE_CONT, tid, number, gone_is_fine=True)


def _has_news(tid: int) -> bool:
    """Whether a stop or the end of `tid` waits to be taken by waitpid(2)."""
    try:
        return os.waitid(os.P_PID, tid, os.WSTOPPED | os.WEXITED | os.WNOHANG | os.WNOWAIT | WALL) is not None
    except ChildProcessError:
        return False


def stay_stopped(tid: int) -> None:
    """Leave a tracee in its group-stop, until SIGCONT or another event."""
    _call(PTRACE_LISTEN, tid, 0, gone_is_fine=True)


def event_message(tid: int) -> int:
    """Return the message of the present event: the new tid, the former tid of an exec, the exit status; 0 when gone."""
    message = ctypes.c_ulong(0)
    _call(PTRACE_GETEVENTMSG, tid, ctypes.addressof(message), gone_is_fine=True)
    return int(message.value)


def sender(tid: int) -> int | None:
    """Return the pid that sent the signal which stopped `tid`, None for the kernel's own."""
    siginfo = (ctypes.c_int * 32)()  # 128 bytes: si_signo, si_errno, si_code, padding to 8 or not, si_pid
    _call(PTRACE_GETSIGINFO, tid, ctypes.addressof(siginfo), gone_is_fine=True)
    # SI_USER 0, SI_QUEUE -1, SI_TKILL -6; on 64-bit systems the union begins at byte 16.
    return int(siginfo[4]) if siginfo[2] in (0, -1, -6) else None


def _call(request: int, tid: int, data: int, *, gone_is_fine: bool = False) -> None:
    if _libc.ptrace(request, tid, None, data) == 0:
        return
    number = ctypes.get_errno()
    if not (gone_is_fine and number in (errno.ESRCH, errno.EIO)):
        raise OSError(number, os.strerror(number), f"ptrace({request:#x}, {tid})")
