"""What repro says on a system that is neither Linux nor Windows; see rooms.py."""

import contextlib
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from flakehunter.errors import UsageError
from flakehunter.repro.stressors.base import Capability

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

CANNOT_RUN: Mapping[int, str] = {}
SHELL_LINE = "sh -c 'LINE'"
ORPHANS = ""

split_words = shlex.split
join_words = shlex.join
uninterrupted = contextlib.nullcontext


def can(_name: str) -> Capability:
    """Return that it does not work, as no trial does."""
    return Capability(usable=False, reason=f"repro runs on Linux and on Windows, and this is {sys.platform}")


def require() -> NoReturn:
    """Refuse.

    Raises:
        UsageError: always.
    """
    raise UsageError(
        f"repro needs Linux or Windows, which keep hold of all that a trial starts, and this is {sys.platform}",
        hint="run it on Linux or in a container; run, wait-gone, detect, scan and report work here",
    )


def start_nursery(_variables: Mapping[str, str] | None = None) -> NoReturn:
    """Refuse."""
    require()


def start_warm_nursery(_argv: Sequence[str], _env: Mapping[str, str], _cwd: Path) -> NoReturn:
    """Refuse."""
    require()


def start_caretaker() -> "subprocess.Popen[bytes]":
    """Refuse."""
    require()


def ended_from_outside(_status: int) -> str:
    """Know nothing of it."""
    return ""


def how_it_ended(status: int) -> str:
    """Return the bare status."""
    return f"exit status {status}"
