"""What repro needs of Windows; see rooms.py."""

import sys

assert sys.platform == "win32"

import contextlib
import ctypes
import os
import subprocess
from collections.abc import Mapping, Sequence
from ctypes import wintypes
from pathlib import Path
from typing import NoReturn

from flakehunter.repro.stressors.base import Capability
from flakehunter.repro.trial import PACKAGE_ROOT, TrialError
from flakehunter.repro.windows.nursery import start_nursery

__all__ = [
    "CANNOT_RUN",
    "ORPHANS",
    "SHELL_LINE",
    "can",
    "ended_from_outside",
    "how_it_ended",
    "join_words",
    "require",
    "split_words",
    "start_caretaker",
    "start_nursery",
    "start_warm_nursery",
    "uninterrupted",
]

ELSEWHERE = "run it on Linux or in a container"

NO_TRACER = "Windows has no ptrace, by which a process is held at one event"
NO_ZOMBIES = "on Windows nobody has to reap: there are no zombies"
CANNOT: Mapping[str, str] = {
    "control": NO_TRACER,
    "delay": NO_TRACER,
    "stress-ng": "stress-ng is a program for POSIX systems",
    "quota": "the quota is a cgroup's, which only Linux has",
    "demote": "SCHED_IDLE and autogroups are Linux's",
    "preempt": "SCHED_FIFO is Linux's",
    "reap-delay": NO_ZOMBIES,
    "no-reaper": NO_ZOMBIES,
    "memory": "what is available comes from /proc, and only Linux ends the holder first when memory runs out",
    "io": "its writers need pwrite(2), which Windows does not have",
}

# Ends that say who ended it; [MS-ERREF] 2.3.1 has the codes, which are negative as signed numbers.
FROM_OUTSIDE: Mapping[int, str] = {
    -0x3FFFFEC6: "Ctrl-C (0xC000013A)",
    0x40010004: "a shutdown or a closed console (0x40010004)",
}
CRASHES: Mapping[int, str] = {
    -0x3FFFFFFB: "access violation",
    -0x3FFFFFE3: "illegal instruction",
    -0x3FFFFF6C: "integer division by zero",
    -0x3FFFFF03: "stack overflow",
    -0x3FFFFC8C: "heap corruption",
    -0x3FFFFBF7: "fail fast, as abort() does",
}
CANNOT_RUN: Mapping[int, str] = {9009: "a command was not found", -0x3FFFFECB: "a DLL was not found"}
SHELL_LINE = 'cmd /c "LINE"'
ORPHANS = "nobody: Windows has no zombies"

join_words = subprocess.list2cmdline

uninterrupted = contextlib.nullcontext
"""Nothing has to be held back: Ctrl-C does not reach the caretaker, which ends by itself."""


def require() -> None:
    """Do nothing: trials can be run on any Windows."""


def can(name: str) -> Capability:
    """Return whether the stressor `name` works on Windows, and why not."""
    reason = CANNOT.get(name, "")
    return Capability(usable=not reason, reason=reason, hint=ELSEWHERE if reason else "")


def start_warm_nursery(_argv: Sequence[str], _env: Mapping[str, str], _cwd: Path) -> NoReturn:
    """Refuse.

    Raises:
        TrialError: always.
    """
    raise TrialError("Windows cannot fork one that is ready")


def ended_from_outside(status: int) -> str:
    """Return by what somebody else ended a command; empty where its end was its own, or cannot be told from it.

    TerminateProcess gives the exit code that its caller likes, mostly 1, as a test runner does for a failure.
    """
    return FROM_OUTSIDE.get(status, "")


def how_it_ended(status: int) -> str:
    """Return the words for an exit status."""
    if status >= 0:
        return f"exit status {status}"
    name = CRASHES.get(status)
    return f"crashed with 0x{status & 0xFFFFFFFF:08X}" + (f" ({name})" if name else "")


def split_words(text: str) -> list[str]:
    """Split a command line as Windows does: a backslash is no quote, and only double quotes are one."""
    if not text.strip():
        return []
    split = ctypes.WinDLL("shell32", use_last_error=True).CommandLineToArgvW
    split.restype = ctypes.POINTER(wintypes.LPWSTR)
    split.argtypes = (wintypes.LPCWSTR, ctypes.POINTER(ctypes.c_int))
    free = ctypes.WinDLL("kernel32").LocalFree
    free.argtypes = (ctypes.c_void_p,)
    count = ctypes.c_int()
    words = split(text.strip(), ctypes.byref(count))
    if not words:
        raise ValueError(ctypes.FormatError(ctypes.get_last_error()).strip())
    try:
        return [words[place] or "" for place in range(count.value)]
    finally:
        free(words)


def start_caretaker() -> "subprocess.Popen[bytes]":
    """Start the caretaker, out of reach of Ctrl-C; by `-c`, since an embeddable Python does not look at PYTHONPATH."""
    code = (
        f"import sys; sys.path.insert(0, {str(PACKAGE_ROOT)!r}); "
        "from flakehunter.repro.windows.caretaker import main; sys.exit(main())"
    )
    return subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", code],
        stdin=subprocess.PIPE,
        cwd=os.path.dirname(sys.executable),  # noqa: PTH120 - the folder of a process cannot be removed
        creationflags=subprocess.CREATE_NEW_PROCESS_GROUP,
    )
