"""Which calls stop a traced thread: fewer than strace's own filter, which knows no arguments, would stop.

Every stop costs 10 µs and more, and a program makes dozens of calls before its first line runs. Most of these can be
told from looks by their arguments (a question for a handler is no handler, fstat(2) of a descriptor is no look), or by
the place that they come from: the dynamic loader, and the functions inside the C library that read locale files.
The addresses change from run to run, but not within a page of memory.
"""

import ctypes
import os
import platform
import re
import signal
import sys
from pathlib import Path
from typing import Final

from flakehunter.trace import seccomp
from flakehunter.trace.seccomp import ALLOW, TRACE, Condition, Rule, argument
from flakehunter.trace.watch_life import UNHEEDED
from flakehunter.trace.watching import CALLS

__all__ = ["can_narrow", "start_filter", "stop_filter"]

# fmt: off
NUMBERS: Final = {
    "read": 0, "write": 1, "open": 2, "stat": 4, "lstat": 6, "poll": 7, "rt_sigaction": 13, "readv": 19,
    "writev": 20, "access": 21, "select": 23, "nanosleep": 35, "connect": 42, "sendto": 44, "recvfrom": 45,
    "sendmsg": 46, "recvmsg": 47, "bind": 49, "listen": 50, "getsockname": 51, "socketpair": 53, "clone": 56,
    "fork": 57, "vfork": 58, "execve": 59, "wait4": 61, "kill": 62, "unlink": 87, "readlink": 89, "setpgid": 109,
    "setsid": 112, "setpriority": 141, "prctl": 157, "tkill": 200, "sched_setaffinity": 203,
    "restart_syscall": 219, "clock_nanosleep": 230, "epoll_wait": 232, "tgkill": 234, "waitid": 247,
    "openat": 257, "newfstatat": 262, "unlinkat": 263, "readlinkat": 267, "faccessat": 269, "pselect6": 270,
    "ppoll": 271, "unshare": 272, "set_robust_list": 273, "epoll_pwait": 281, "prlimit64": 302, "setns": 308,
    "execveat": 322, "statx": 332, "pidfd_send_signal": 424, "pidfd_open": 434, "clone3": 435,
    "faccessat2": 439, "epoll_pwait2": 441,
}
# fmt: on
"""Numbers of the calls on x86-64 (the kernel's table syscall_64.tbl)."""
FIRST_OF_A_FORK = "set_robust_list"
"""The first call of a child that the C library has forked. strace stops a new child at every call until its filter has
reported one, so that this one, which says nothing, saves the stops of those that follow."""
FIRST_QUESTION = 1
"""SIGHUP: a child that asks for the handler of every signal, as posix_spawn(3) and CPython's vfork do, begins there.

posix_spawn's child has a stack of its own among the libraries, and nothing else that its filter would report. That of
CPython's is the program's, and before it asks it sets SIGPIPE."""
LOWEST_STACK = 0x7FFC
"""Upper half of the lowest address of a program's stack, but for one in a few: libraries are mapped below it."""
PR_SET_SECCOMP, PR_SET_CHILD_SUBREAPER = 22, 36
AT_EMPTY_PATH = 0x1000
AT_ONCE, FOR_EVER = 0, 0xFFFFFFFF
"""Time-outs of epoll_pwait(2) that are neither a pause nor a deadline; what it has heard of is read by the next call.
Event loops (libuv's, Go's) come here several times for each child."""
PAGE = 0xFFF
LOWEST_LIBRARY = 0x6F00
"""Upper half of the lowest address at which libraries are mapped; programs themselves are below."""
READ_ONLY = (os.O_RDONLY, os.O_RDONLY | os.O_CLOEXEC)
_SYSCALL = b"\x0f\x05"
_LOADER = re.compile(r"([0-9a-f]+)-([0-9a-f]+) r-xp .*/ld-(?:linux-x86-64\.so\.2|2\.\d+\.so)$")
_MOST_BYTES = 256
"""Within how many bytes of its beginning a function of the C library makes its call."""


def can_narrow(strace: str) -> bool:
    """Tell whether the filters of this module can stand in for that of the strace at this path.

    They know the numbers of x86-64 only. A script would run other programs before strace, and capabilities of its file
    (or its owner's rights) would be lost, since who takes on a filter gets no new rights (PR_SET_NO_NEW_PRIVS).
    """
    if not sys.platform.startswith("linux") or platform.machine() != "x86_64" or sys.maxsize < 1 << 32:
        return False
    if tuple(map(int, re.findall(r"\d+", platform.release())[:2])) < (5, 5):  # seccomp_unotify(2): CONTINUE
        return False
    try:
        with Path(strace).open("rb") as program:
            is_program = program.read(4) == b"\x7fELF"
        rights = Path(strace).stat().st_mode & 0o6000 or "security.capability" in os.listxattr(strace)
    except OSError:
        return False
    return is_program and not rights


def start_filter() -> bytes:
    """Return the filter that strace is started under.

    The program that strace starts stops at its execve, as strace expects; whoever takes on a filter by prctl(2) waits
    for an answer (seccomp.decide).
    """
    takes_on = Condition(argument(0), PR_SET_SECCOMP)
    asks_only = (Condition(argument(2), 0), Condition(argument(2, high=True), 0))
    return seccomp.assemble(
        {
            NUMBERS["execve"]: [Rule((), TRACE)],
            NUMBERS["prctl"]: [Rule((takes_on, *asks_only), ALLOW), Rule((takes_on,), seccomp.ASK)],
        },
        foreign=ALLOW,
    )


def stop_filter() -> bytes:
    """Return the filter that stops the traced threads at the calls that may matter."""
    calls = {NUMBERS[name]: [Rule((), TRACE)] for name in (*sorted(CALLS), FIRST_OF_A_FORK)}
    for name, rules in _dull().items():
        calls[NUMBERS[name]] = [*(Rule(conditions, ALLOW) for conditions in rules), Rule((), TRACE)]
    return seccomp.assemble(calls, foreign=TRACE)


def _dull() -> dict[str, list[tuple[Condition, ...]]]:
    """Return what says nothing of processes, call by call: each a set of conditions that hold together."""
    nothing_set = [
        (Condition(argument(position), 0), Condition(argument(position, high=True), 0)) for position in (1, 2)
    ]
    no_handler = (*nothing_set[0], Condition(argument(0), FIRST_QUESTION, wanted=False))
    asks_from_the_stack = (*nothing_set[0], Condition(argument(2, high=True), LOWEST_STACK, seccomp.IF_AT_LEAST))
    unheeded = sorted(int(signal.Signals[name]) for name in UNHEEDED if name in signal.Signals.__members__)
    dull: dict[str, list[tuple[Condition, ...]]] = {
        "rt_sigaction": [no_handler, asks_from_the_stack, *((Condition(argument(0), number),) for number in unheeded)],
        "prlimit64": [nothing_set[1], (Condition(argument(0), 0),)],
        "sched_setaffinity": [(Condition(argument(0), 0),)],
        "setpriority": [(Condition(argument(1), 0),)],
        "prctl": [(Condition(argument(0), PR_SET_CHILD_SUBREAPER, wanted=False),)],
        "epoll_pwait": [(Condition(argument(3), timeout),) for timeout in (AT_ONCE, FOR_EVER)],
        "newfstatat": [(Condition(argument(3), AT_EMPTY_PATH, seccomp.IF_ANY_BIT),)],
        "openat": [],
        "access": [],
        "read": [],
    }
    places = _of_the_loader()
    for name in ("newfstatat", "access", "read"):
        dull[name] += [_comes_from(place) for place in places[name]]
    for place in (*places["openat"], *_of_the_library()):
        dull["openat"] += [(Condition(argument(2), flags), *_comes_from(place)) for flags in READ_ONLY]
    return dull


def _comes_from(place: int) -> tuple[Condition, ...]:
    high = Condition(seccomp.address(high=True), LOWEST_LIBRARY, seccomp.IF_AT_LEAST)
    return high, Condition(seccomp.address(), place, mask=PAGE)


def _of_the_loader() -> dict[str, list[int]]:
    """Return where within its page the dynamic loader comes back from its calls, by name; none where it is not glibc's.

    Its code is read from this process, which it has loaded too.
    """
    code = b""
    start = 0
    for line in Path("/proc/self/maps").read_text().splitlines():
        if found := _LOADER.match(line):
            start, end = (int(word, 16) for word in found.groups())
            code = ctypes.string_at(start, end - start)
    found_at: dict[str, list[int]] = {}
    for name in ("openat", "newfstatat", "access", "read"):
        number = NUMBERS[name].to_bytes(4, "little")
        # mov $NUMBER,%eax (or xor %eax,%eax), at most a few moves of arguments, syscall
        loads = b"\x31\xc0" if number == bytes(4) else b"\xb8" + re.escape(number)
        pattern = loads + rb".{0,12}?" + re.escape(_SYSCALL)
        found_at[name] = sorted({(start + one.end()) & PAGE for one in re.finditer(pattern, code, re.DOTALL)})
    return found_at


def _of_the_library() -> list[int]:
    """Return where within its page the C library comes back from the opens that it makes for itself, such as locales.

    glibc has a function of its own for them (what a program opens goes through others); directories are opened by it
    too, but with other flags.
    """
    libc = ctypes.CDLL(None)
    try:
        start = ctypes.cast(libc["__open64_nocancel"], ctypes.c_void_p).value or 0
    except AttributeError:
        return []
    position = ctypes.string_at(start, _MOST_BYTES).find(_SYSCALL)
    return [(start + position + len(_SYSCALL)) & PAGE] if position >= 0 else []
