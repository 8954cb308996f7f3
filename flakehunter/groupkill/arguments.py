"""Check the command that a group is to run."""

from collections.abc import Sequence

from flakehunter.groupkill.backend import StartError

__all__ = ["check_argv"]


def check_argv(argv: Sequence[str]) -> tuple[str, ...]:
    """Return the command as a tuple.

    Raises:
        StartError: it is empty, or one string where a list of arguments is meant, or has a NUL in it.
    """
    if isinstance(argv, str) or not argv:
        raise StartError(
            "no command" if not argv else "the command is one string",
            argv=tuple([argv] if isinstance(argv, str) else argv),
            hint="give a list of arguments; for shell syntax use ['bash', '-c', '…']",
        )
    if any("\0" in part for part in argv):
        raise StartError("an argument has a NUL character in it", argv=tuple(argv), hint="remove it")
    return tuple(argv)
