"""Errors a user can act on: each carries its exit code, a slug and a hint; `cli/app.py` alone catches them."""

from pathlib import Path
from typing import Any, ClassVar

from flakehunter.exitcodes import ExitCode


class FlakehunterError(Exception):
    """Base of all errors that are shown as one line and a hint, never as a traceback.

    `message` is a lowercase fragment that says what happened and where; `hint` says what to do about it.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.BUG
    slug: ClassVar[str] = "error"

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle all that the error carries: one of a worker process has to arrive as it was raised."""
        return _unpickled, (type(self), self.args, self.__dict__)


def _unpickled(kind: type[FlakehunterError], args: tuple[Any, ...], values: dict[str, Any]) -> FlakehunterError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(values)
    return error


class UsageError(FlakehunterError):
    """An option or argument that cannot be meant as it was written."""

    exit_code = ExitCode.USAGE
    slug = "usage"


class ConfigError(FlakehunterError):
    """A configuration file that cannot be read or says something unknown; `path` is that file."""

    exit_code = ExitCode.USAGE
    slug = "config"

    def __init__(self, message: str, *, path: Path, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.path = path


class UnknownTestError(UsageError):
    """No test, or more than one, fits what the user typed; `near` holds the ids that come closest."""

    slug = "unknown-test"

    def __init__(self, message: str, *, near: tuple[str, ...] = (), hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.near = near


class NothingToDoError(FlakehunterError):
    """There is nothing to work on: no artifacts below the paths, or no results in the database."""

    exit_code = ExitCode.NOTHING
    slug = "nothing"


class RejectedError(FlakehunterError):
    """Artifacts were rejected and `--strict` makes that a failure; `rejected` counts them."""

    exit_code = ExitCode.REJECTED
    slug = "rejected"

    def __init__(self, message: str, *, rejected: int, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.rejected = rejected


class DatabaseError(FlakehunterError):
    """The database cannot be opened, read or written; `url` has no password in it."""

    exit_code = ExitCode.DATABASE
    slug = "database"

    def __init__(self, message: str, *, url: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.url = url


class RemoteError(FlakehunterError):
    """A service on the network fails, cannot be reached, or asks to wait too long; `url` is what was asked for."""

    exit_code = ExitCode.REMOTE
    slug = "remote"

    def __init__(self, message: str, *, url: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.url = url


class CommandError(UsageError):
    """A command that flakehunter was asked to run could not be started; `argv` is that command."""

    slug = "command"

    def __init__(self, message: str, *, argv: tuple[str, ...], hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.argv = argv
