"""The short way: one call that chooses a backend and starts a command in a group."""

import os
from collections.abc import Sequence
from typing import Unpack

from flakehunter.groupkill.backend import ProcessGroup
from flakehunter.groupkill.choice import AUTO, choose
from flakehunter.groupkill.command import SpawnOptions

__all__ = ["BACKEND_VARIABLE", "spawn"]

BACKEND_VARIABLE = "FLAKEHUNTER_GROUP_KILL"
"""Environment variable that names the backend where the caller does not: `repro --group-kill A,B` sets it."""


def spawn(argv: Sequence[str], *, backend: str | None = None, **options: Unpack[SpawnOptions]) -> ProcessGroup:
    """Start `argv` in a group of its own and return the group.

    Args:
        argv: the command, a list of arguments.
        backend: name of the backend; else what FLAKEHUNTER_GROUP_KILL names, else `auto`.
        options: stdin, stdout, stderr, cwd, env, text as in subprocess.Popen, pty and foreground; see `SpawnOptions`.

    Raises:
        StartError: the command could not be started.
        BackendUnusableError: the backend does not work here.
        UsageError: there is no such backend.
    """
    return choose(backend or os.environ.get(BACKEND_VARIABLE) or AUTO).spawn(argv, **options)
