"""What repro needs of Linux; see rooms.py."""

import sys

assert sys.platform == "linux"

import contextlib
import os
import shlex
import signal
import subprocess
from collections.abc import Iterator, Mapping

from flakehunter.repro.linux.nurseries import start_nursery, start_warm_nursery
from flakehunter.repro.linux.probes import can
from flakehunter.repro.trial import PACKAGE_ROOT

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

FROM_OUTSIDE = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""A command that dies of these was ended by somebody; a failing test dies of SIGABRT, SIGSEGV and the like."""

CANNOT_RUN: Mapping[int, str] = {126: "a command could not be executed", 127: "a command was not found"}
SHELL_LINE = "bash -c 'LINE'"
ORPHANS = "flakehunter's supervisor"

split_words = shlex.split
join_words = shlex.join


def require() -> None:
    """Do nothing: trials can be run on any Linux."""


def ended_from_outside(status: int) -> str:
    """Return the signal by which somebody else ended a command; empty where its end was its own."""
    return signal.Signals(-status).name if -status in FROM_OUTSIDE else ""


def how_it_ended(status: int) -> str:
    """Return the words for an exit status."""
    return f"exit status {status}" if status >= 0 else f"killed by {signal.Signals(-status).name}"


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold SIGINT and SIGTERM back."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT, signal.SIGTERM])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def start_caretaker() -> "subprocess.Popen[bytes]":
    """Start the caretaker, out of reach of Ctrl-C."""
    return subprocess.Popen(
        [sys.executable, "-P", "-S", "-m", "flakehunter.repro.linux.caretaker"],
        stdin=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(PACKAGE_ROOT)},
        cwd="/",
        start_new_session=True,
    )
