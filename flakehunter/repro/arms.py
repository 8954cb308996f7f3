"""The arms that need no other command: the same test with other variables, and under other group-kill backends."""

import re
from collections.abc import Sequence
from dataclasses import replace

from flakehunter.errors import UsageError
from flakehunter.repro.command import Command
from flakehunter.repro.experiment import Fix
from flakehunter.repro.rooms import here


def check_environment(words: Sequence[str]) -> None:
    """Refuse what is no `NAME=VALUE`.

    Raises:
        UsageError: one of them is none.
    """
    for word in words:
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*=.*", word, re.DOTALL):
            raise UsageError(f"--fix-env {word!r} is no NAME=VALUE", hint="write --fix-env TIMEOUT=5")


def with_environment(command: Command, words: Sequence[str]) -> Command:
    """Return `command` with the variables set that `words` (`NAME=VALUE`) say."""
    values = dict(word.split("=", 1) for word in words)
    return replace(command, env={**command.env, **values}, shown=here.join_words(words) + " " + command.shown)


def backend_arms(command: Command, names: Sequence[str]) -> tuple[Command, tuple[Fix, ...], str]:
    """Return the flawed arm, the others and the flawed arm's backend; with one name, it is the command as it stands.

    Raises:
        UsageError: there is no such backend, or one is named twice.
        BackendUnusableError: one does not work here.
    """
    from flakehunter.groupkill.api import BACKEND_VARIABLE
    from flakehunter.groupkill.choice import choose

    if len(set(names)) < len(names):
        raise UsageError(f"--group-kill {','.join(names)}: a backend is named twice", hint="name each once")
    for name in names:
        choose(name)
    fixes = tuple(Fix(name, with_environment(command, [f"{BACKEND_VARIABLE}={name}"]), name) for name in names)
    if len(fixes) == 1:
        return command, fixes, ""
    return fixes[0].command, fixes[1:], names[0]
