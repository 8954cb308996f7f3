"""From a test in the database to the command that runs it alone."""

import shlex
import sys
from pathlib import Path

from flakehunter.config import Config
from flakehunter.db.queries.tests import TestRow
from flakehunter.errors import UsageError

__all__ = ["command_of"]


def command_of(test: TestRow, config: Config, junit: Path) -> tuple[list[str], Path, dict[str, str]]:
    """Return command line, working directory and additional environment of the runner for one test.

    Raises:
        UsageError: there is no runner for the test's framework, or its file is not known.
    """
    runner = config.runners.get(test.framework)
    if runner is None:
        raise UsageError(
            f"no runner for tests of {test.framework or 'an unknown framework'}",
            hint=f"write [tool.flakehunter.runners.{test.framework or 'NAME'}], or give the command after --",
        )
    cwd = (config.root / runner.cwd).resolve()
    file = test.file or _file_of(test.identity.classname, cwd)
    if not file and ("{file}" in runner.command or "{test}" in runner.command):
        raise UsageError(
            f"the artifacts do not say which file {test.identity.label} is in", hint="give the command after --"
        )
    values = {
        "{python}": sys.executable,
        "{test}": _node_id(test, file),
        "{file}": file,
        "{name}": test.identity.name,
        "{junit}": str(junit),
    }
    words = shlex.split(runner.command)
    for placeholder, value in values.items():
        words = [word.replace(placeholder, value) for word in words]
    return words, cwd, dict(runner.env)


def _file_of(classname: str, cwd: Path) -> str:
    """Return the file of a dotted class name, as pytest writes it: the longest part that is a module."""
    parts = classname.split(".")
    for length in range(len(parts), 0, -1):
        file = "/".join(parts[:length]) + ".py"
        if (cwd / file).is_file():
            return file
    return ""


def _node_id(test: TestRow, file: str) -> str:
    module = file.removesuffix(".py").replace("/", ".")
    classes = test.identity.classname.removeprefix(module).strip(".")
    return "::".join([file, *(part for part in classes.split(".") if part), test.identity.name])
