"""Start a command on POSIX through `launch.py`, and know when its exec has succeeded or why it failed."""

import errno as errno_names
import os
import select
import subprocess
import sys
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from flakehunter.groupkill.backend import StartError, Stream

__all__ = ["PythonPopen", "interpreter", "start"]

LAUNCHER = str(Path(__file__).with_name("launch.py"))
EXEC_TIMEOUT_S = 30.0

PythonPopen = subprocess.Popen[Any]


def interpreter() -> list[str]:
    """Return how to run a Python script quickly: without site, user paths and PYTHON* variables.

    Raises:
        StartError: this program does not know its own interpreter (embedded Python).
    """
    if not sys.executable:
        raise StartError("sys.executable is empty", argv=(), hint="run flakehunter from an installed Python")
    return [sys.executable, "-I", "-S"]


def start(
    argv: tuple[str, ...],
    options: Sequence[str],
    *,
    stdin: Stream,
    stdout: Stream,
    stderr: Stream,
    cwd: str | PathLike[str] | None,
    env: Mapping[str, str],
    pty: bool,
    text: bool,
) -> tuple[PythonPopen, int | None]:
    """Start `argv` with the launcher's `options`, wait until exec has replaced the launcher, and return it.

    Returns:
        The process, which is the leader, and the master end of its terminal when `pty` is set.

    Raises:
        StartError: it could not be started; `errno` says why.
    """
    master = slave = None
    if pty:
        master, slave = os.openpty()
        stdin = stdout = stderr = slave
    receive, control = os.pipe()
    try:
        popen = subprocess.Popen(
            [*interpreter(), LAUNCHER, str(control), *options, "--", *argv],
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            cwd=cwd,
            env=dict(env),
            pass_fds=(control,),
            text=text,
        )
    except OSError as error:
        _close(receive, control, master, slave)
        raise _failed(argv, error.errno or 0, "start", cwd) from error
    _close(control, slave)
    try:
        said = _read_to_end(receive)
    finally:
        os.close(receive)
    if said is None or said:
        popen.kill()
        popen.wait()
        _close(master, *(stream for stream in (popen.stdin, popen.stdout, popen.stderr)))
        if said is None:
            raise StartError(f"{argv[0]!r} was not running after {EXEC_TIMEOUT_S:g} s", argv=argv)
        number, _, stage = said.partition(" ")
        raise _failed(argv, int(number), stage.partition(" ")[0], cwd)
    return popen, master


def _close(*things: Any) -> None:
    for thing in things:
        if isinstance(thing, int):
            os.close(thing)
        elif thing is not None:
            thing.close()


def _read_to_end(descriptor: int) -> str | None:
    """Read until exec or death closes the other end; None when that takes too long."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    parts = b""
    while poll.poll(EXEC_TIMEOUT_S * 1000):
        part = os.read(descriptor, 4096)
        if not part:
            return parts.decode("utf-8", "replace")
        parts += part
    return None


HINTS = {
    errno_names.ENOENT: "no such program on the PATH of the environment it gets, or its interpreter is missing",
    errno_names.EACCES: "it may not be executed: see chmod +x, and the mount options of its file system",
    errno_names.ENOEXEC: "it is no program for this machine: does its first line say #!…?",
    errno_names.E2BIG: "arguments and environment together are too long",
    errno_names.ENOTDIR: "a part of the path is no directory",
}


def _failed(argv: tuple[str, ...], number: int, stage: str, cwd: str | PathLike[str] | None) -> StartError:
    reason = os.strerror(number)
    if stage == "start":
        where = f" in {os.fspath(cwd)}" if cwd else ""
        return StartError(f"cannot start {argv[0]!r}{where}: {reason}", argv=argv, errno=number)
    if stage == "exec":
        return StartError(f"cannot run {argv[0]!r}: {reason}", argv=argv, errno=number, hint=HINTS.get(number))
    return StartError(f"cannot set up the group of {argv[0]!r} ({stage}): {reason}", argv=argv, errno=number)
