"""What a group is to run: a command with its streams, folder and environment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import IO, Any, TypedDict, Unpack

from flakehunter.errors import CommandError

__all__ = ["Command", "SpawnOptions", "StartError", "Stream"]

Stream = int | IO[Any] | None
"""What subprocess takes for stdin, stdout and stderr: None (ours), PIPE, DEVNULL, STDOUT, a descriptor or a file."""


class StartError(CommandError):
    """The command could not be started inside its group; `errno` is what the system said (0 when unknown)."""

    slug = "start"

    def __init__(self, message: str, *, argv: tuple[str, ...], errno: int = 0, hint: str | None = None) -> None:
        super().__init__(message, argv=argv, hint=hint)
        self.errno = errno


class SpawnOptions(TypedDict, total=False):
    """The keyword arguments of every `spawn`; each may be left out."""

    stdin: Stream
    stdout: Stream
    stderr: Stream
    cwd: str | PathLike[str] | None
    """Folder to start in."""
    env: Mapping[str, str] | None
    """The whole environment; None keeps ours."""
    pty: bool
    """Give the command a terminal of its own, whose master end is `group.pty`; POSIX."""
    foreground: bool
    """Make the command's process group the foreground group of the terminal on stdin before the command starts, so that
    it may read it and gets Ctrl-C; for a caller in the foreground, which takes the terminal back. Without effect on
    Windows and for a command in a session of its own, which has no terminal."""
    text: bool
    """Open pipes in text mode."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command line with its SpawnOptions, checked."""

    argv: tuple[str, ...]
    stdin: Stream = None
    stdout: Stream = None
    stderr: Stream = None
    cwd: str | PathLike[str] | None = None
    env: Mapping[str, str] | None = None
    pty: bool = False
    foreground: bool = False
    text: bool = False

    @classmethod
    def of(cls, argv: Sequence[str], **options: Unpack[SpawnOptions]) -> "Command":
        """Check the arguments of `spawn`.

        Raises:
            StartError: `argv` is empty, or one string where a list of arguments is meant, or has a NUL in it.
        """
        if isinstance(argv, str) or not argv:
            raise StartError(
                "no command" if not argv else "the command is one string",
                argv=tuple([argv] if isinstance(argv, str) else argv),
                hint="give a list of arguments; for shell syntax use ['bash', '-c', '…']",
            )
        if any("\0" in part for part in argv):
            raise StartError("an argument has a NUL character in it", argv=tuple(argv), hint="remove it")
        return cls(tuple(argv), **options)
