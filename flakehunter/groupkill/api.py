"""The short way: one call that chooses a backend and starts a command in a group."""

import os
from collections.abc import Mapping, Sequence
from os import PathLike

from flakehunter.groupkill.backend import ProcessGroup, Stream
from flakehunter.groupkill.choice import AUTO, choose

__all__ = ["BACKEND_VARIABLE", "spawn"]

BACKEND_VARIABLE = "FLAKEHUNTER_GROUP_KILL"
"""Environment variable that names the backend where the caller does not: `repro --group-kill A,B` sets it."""


def spawn(
    argv: Sequence[str],
    *,
    backend: str | None = None,
    stdin: Stream = None,
    stdout: Stream = None,
    stderr: Stream = None,
    cwd: str | PathLike[str] | None = None,
    env: Mapping[str, str] | None = None,
    pty: bool = False,
    text: bool = False,
) -> ProcessGroup:
    """Start `argv` in a group of its own and return the group.

    Args:
        argv: the command, a list of arguments.
        backend: name of the backend; else what FLAKEHUNTER_GROUP_KILL names, else `auto`.
        stdin, stdout, stderr: as in subprocess.Popen.
        cwd: folder to start in.
        env: the whole environment; None keeps ours.
        pty: give the command a terminal of its own, whose master end is `group.pty`.
        text: open pipes in text mode.

    Raises:
        StartError: the command could not be started.
        BackendUnusableError: the backend does not work here.
        UsageError: there is no such backend.
    """
    chosen = choose(backend or os.environ.get(BACKEND_VARIABLE) or AUTO)
    return chosen.spawn(argv, stdin=stdin, stdout=stdout, stderr=stderr, cwd=cwd, env=env, pty=pty, text=text)
