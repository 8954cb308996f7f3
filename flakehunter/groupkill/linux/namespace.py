"""Put a command into a pid namespace of its own, under a first process that reaps; see pid_namespaces(7)."""

import sys

assert sys.platform == "linux"

import ctypes
import os
import signal
from collections.abc import Callable

from flakehunter.groupkill.linux.sweep import die_with_parent

__all__ = ["enter_pid_namespace", "run_init"]

CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REC, MS_PRIVATE = 0x2, 0x4, 0x8, 0x4000, 0x40000


def _unshare(flags: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(flags) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), "unshare")


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:  # noqa: PTH123 - pathlib costs 10 ms at start
        file.write(text)


def enter_pid_namespace() -> None:
    """Make the next child of this process the first one of a new pid namespace, in a user namespace when not root.

    Raises:
        OSError: the kernel or its settings refuse (user namespaces switched off, a container's seccomp filter, ...).
    """
    user, group = os.geteuid(), os.getegid()
    if user == 0:
        _unshare(CLONE_NEWPID)
        return
    _unshare(CLONE_NEWUSER | CLONE_NEWPID)
    _write("/proc/self/setgroups", "deny")
    _write("/proc/self/uid_map", f"{user} {user} 1")
    _write("/proc/self/gid_map", f"{group} {group} 1")


def _mount_proc() -> None:
    """Show the namespace's own processes in /proc; where that is not allowed the outer /proc stays visible."""
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        _unshare(CLONE_NEWNS)
    except OSError:
        return
    if libc.mount(None, b"/", None, ctypes.c_ulong(MS_REC | MS_PRIVATE), None) == 0:
        libc.mount(b"proc", b"/proc", b"proc", ctypes.c_ulong(MS_NOSUID | MS_NODEV | MS_NOEXEC), None)


def run_init(start: Callable[[], int], may_reap: int, status_pipe: int) -> None:
    """Be the first process of the namespace: start the command, reap all, end when nothing is left; never returns.

    Args:
        start: forks the command and returns its pid.
        may_reap: descriptor; the command is not reaped before something can be read from it, so that its pid outside
            of the namespace can be found.
        status_pipe: where the command's status is written to, as Popen.returncode.
    """
    die_with_parent(signal.SIGKILL)
    _mount_proc()
    leader = start()
    os.read(may_reap, 1)
    while True:
        try:
            pid, status = os.wait()
        except ChildProcessError:
            os._exit(0)
        if pid == leader:
            os.write(status_pipe, str(os.waitstatus_to_exitcode(status)).encode())
            os.close(status_pipe)
