"""Start a command on POSIX through `launch.py`, and know when its exec has succeeded or why it failed."""

import sys

assert sys.platform != "win32"

import errno as errno_names
import os
import select
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flakehunter.groupkill.command import Command, StartError

__all__ = ["PythonPopen", "abandon", "interpreter", "not_started", "open_child", "start", "with_terminal"]

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


def with_terminal(options: Sequence[str], command: Command) -> list[str]:
    """Return the launcher's options with those that the command's terminal needs.

    A terminal of its own belongs to a session, so it needs its own. Ours can be had by a group of our session only.
    """
    if command.pty:
        return [option for option in options if not option.startswith("--new")] + ["--new=session", "--ctty"]
    if command.foreground and "--new=group" in options:
        return [*options, "--foreground"]
    return list(options)


def open_child(command: Command, argv: Sequence[str], *, pass_fds: Sequence[int]) -> tuple[PythonPopen, int | None]:
    """Start the program `argv`, with the streams, folder and environment of `command`.

    Returns:
        The process, and the master end of its terminal when there is one.

    Raises:
        StartError: it could not be started; the message names the command, not the program.
    """
    stdin, stdout, stderr = command.stdin, command.stdout, command.stderr
    master = slave = None
    if command.pty:
        master, slave = os.openpty()
        stdin = stdout = stderr = slave
    try:
        popen = subprocess.Popen(
            argv,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            cwd=command.cwd,
            env=None if command.env is None else dict(command.env),
            pass_fds=pass_fds,
            text=command.text,
        )
    except OSError as error:
        _close(master)
        raise not_started(command, error.errno or 0, "start") from error
    finally:
        _close(slave)
    return popen, master


def start(command: Command, options: Sequence[str], *, inside: Sequence[str] = ()) -> tuple[PythonPopen, int | None]:
    """Start a command with the launcher's `options`, and wait until exec has replaced the launcher.

    Args:
        command: the command.
        options: what launch.py does before exec.
        inside: a program with arguments that runs the rest of its command line in its own process, and keeps
            descriptors open: `systemd-run --scope`.

    Returns:
        The process, which is the leader, and the master end of its terminal when there is one.

    Raises:
        StartError: it could not be started; `errno` says why.
    """
    receive, control = os.pipe()
    line = [*inside, *interpreter(), LAUNCHER, str(control), *options, "--", *command.argv]
    try:
        popen, master = open_child(command, line, pass_fds=(control,))
    except BaseException:
        _close(receive, control)
        raise
    _close(control)
    try:
        said = _read_to_end(receive)
    finally:
        os.close(receive)
    if said is None or said:
        abandon(popen, master)
        if said is None:
            raise StartError(f"{command.argv[0]!r} was not running after {EXEC_TIMEOUT_S:g} s", argv=command.argv)
        number, _, stage = said.partition(" ")
        raise not_started(command, int(number), stage)
    return popen, master


def abandon(popen: PythonPopen, master: int | None) -> None:
    """End and reap a child that is not to be used, and close what belongs to it."""
    popen.kill()
    popen.wait()
    _close(master, popen.stdin, popen.stdout, popen.stderr)


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


def not_started(command: Command, number: int, stage: str) -> StartError:
    """Return the error for a command that could not be started.

    Args:
        command: the command.
        number: errno, 0 when unknown.
        stage: `start`, `exec`, or the option of launch.py that failed; what follows after a blank is the system's word.
    """
    argv, (stage, _, said) = command.argv, stage.partition(" ")
    reason = said or os.strerror(number)
    if stage == "start":
        where = f" in {os.fspath(command.cwd)}" if command.cwd else ""
        return StartError(f"cannot start {argv[0]!r}{where}: {reason}", argv=argv, errno=number)
    if stage == "exec":
        return StartError(f"cannot run {argv[0]!r}: {reason}", argv=argv, errno=number, hint=HINTS.get(number))
    return StartError(f"cannot set up the group of {argv[0]!r} ({stage}): {reason}", argv=argv, errno=number)
