"""What to run: a stored test through its framework's runner, or a command as it stands."""

import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from flakehunter.config import Config, Runner
from flakehunter.errors import CommandError, UsageError
from flakehunter.repro.pytest_word import pytest_word
from flakehunter.repro.rooms import here

if TYPE_CHECKING:
    from flakehunter.db.queries.tests import TestRow

JUNIT = "{junit}"
PLACEHOLDERS = ("python", "test", "file", "name", "junit")
SKIPPED_FOLDERS = frozenset({".git", ".venv", "venv", "node_modules", "__pycache__", ".tox", ".mypy_cache"})


@dataclass(frozen=True, slots=True)
class Command:
    """A command line of one arm; the word `{junit}` in `argv` stands for the JUnit file of the trial."""

    argv: tuple[str, ...]
    shown: str
    """How the user would type it."""
    cwd: Path
    env: Mapping[str, str]
    """What is set beside the harness's own environment."""
    test: str | None = None
    """Name of the test case whose failure counts, None for any in the JUnit file."""
    junit: Path | None = None
    """Where the command writes a JUnit file by itself, None when it does not, or when `{junit}` stands in `argv`."""

    @property
    def is_pytest(self) -> bool:
        """Whether its exit status means what pytest's does."""
        return pytest_word(self.argv) is not None

    def environment(self) -> dict[str, str]:
        """Return the whole environment of a trial."""
        return {**os.environ, **self.env}

    def words(self, junit: Path) -> tuple[str, ...]:
        """Return the command line with the JUnit file put in."""
        return tuple(word.replace(JUNIT, str(junit)) for word in self.argv)

    def check(self) -> None:
        """Look for the program before anything is started.

        Raises:
            CommandError: it does not exist or cannot be executed.
        """
        program = self.argv[0]
        if os.path.dirname(program):  # noqa: PTH120 - `./run` is no bare name, which pathlib would make of it
            if not os.access(self.cwd / program, os.X_OK) or (self.cwd / program).is_dir():
                raise CommandError(
                    f"cannot run {program}: no such program", argv=self.argv, hint=f"paths are taken from {self.cwd}"
                )
        elif shutil.which(program, path=self.environment().get("PATH")) is None:
            raise CommandError(
                f"command not found: {program}",
                argv=self.argv,
                hint=f"check the spelling and PATH; a shell line needs: -- {here.SHELL_LINE}",
            )


def plain_command(words: Sequence[str], cwd: Path, *, junit: Path | None = None) -> Command:
    """Return the command that the user typed after `--`; a pytest is asked for JUnit too, unless `junit` says where."""
    argv = list(words)
    asked = any(word.startswith(("--junitxml", "--junit-xml")) for word in argv)
    if pytest_word(argv) is not None and junit is None and not asked and "--" not in argv:
        argv.append(f"--junitxml={JUNIT}")
    return Command(tuple(argv), here.join_words(words), cwd, {}, None, None if junit is None else cwd / junit)


def split_command(text: str, option: str) -> list[str]:
    """Split a command given as one option into words, as a shell would, without running one.

    Raises:
        UsageError: quotes are open, or there is no word in it.
    """
    try:
        words = here.split_words(text)
    except ValueError as error:
        raise UsageError(f"{option}: {error}: {text!r}", hint="quote it as for a shell") from error
    if not words:
        raise UsageError(f"{option} is empty", hint=f"write {option} 'COMMAND ARGUMENTS'")
    return words


def stored_command(row: "TestRow", config: Config, folder: Path) -> Command:
    """Return the command that runs a stored test again, below `folder`.

    Raises:
        UsageError: no runner is configured for its framework, or its file is not on disk.
    """
    runner = config.runners.get(row.framework)
    if runner is None:
        raise UsageError(
            f"no runner is configured for {row.framework or 'the unknown framework'} of {row.identity.label}",
            hint=f"write [tool.flakehunter.runners.{row.framework or 'NAME'}] with a command, or use: repro -- CMD",
        )
    cwd = (folder / runner.cwd).resolve()
    values = {"python": sys.executable, **_locate(row, cwd)}
    argv = _fill(runner, values, row)
    shown = here.join_words(word for word in argv if JUNIT not in word)
    return Command(argv, shown, cwd, dict(runner.env), row.identity.name)


def _fill(runner: Runner, values: Mapping[str, str], row: "TestRow") -> tuple[str, ...]:
    words = []
    for word in split_command(runner.command, f"runners.{row.framework}.command"):
        unknown = [name for name in re.findall(r"\{(\w+)\}", word) if name not in PLACEHOLDERS]
        if unknown:
            raise UsageError(
                f"runners.{row.framework}.command: {{{unknown[0]}}} is unknown",
                hint="known: " + " ".join(f"{{{name}}}" for name in PLACEHOLDERS),
            )
        for name, value in values.items():
            word = word.replace(f"{{{name}}}", value)
        words.append(word)
    return tuple(words)


def _locate(row: "TestRow", cwd: Path) -> dict[str, str]:
    name = row.identity.name
    if row.framework == "pytest":
        file, classes = _python_file(row, cwd)
        return {"test": "::".join([file, *classes, name]), "file": file, "name": name}
    file = _plain_file(row, cwd)
    # vitest joins describe blocks by " > " in JUnit and by a blank where -t looks; -t takes a regular expression.
    pattern = "^" + re.sub(r"([^\w\s])", r"\\\1", name.replace(" > ", " ")) + "$"
    return {"test": f"{file}::{name}", "file": file, "name": pattern}


def _python_file(row: "TestRow", cwd: Path) -> tuple[str, list[str]]:
    """Map file and dotted class name, written relative to pytest's rootdir, to a file below `cwd` and class names."""
    parts = row.identity.classname.split(".") if row.identity.classname else []
    for length in range(len(parts), 0, -1):
        wanted = Path(*parts[:length]).with_suffix(".py") if length else None
        if wanted is not None and (found := _find(wanted, cwd)):
            return found, parts[length:]
    if row.file and (found := _find(Path(row.file), cwd)):
        stem = Path(row.file).stem
        return found, parts[parts.index(stem) + 1 :] if stem in parts else []
    raise _no_file(row, cwd)


def _plain_file(row: "TestRow", cwd: Path) -> str:
    for known in (row.file, row.identity.classname, row.identity.suite):
        if known and (found := _find(Path(known), cwd)):
            return found
    raise _no_file(row, cwd)


def _find(wanted: Path, cwd: Path) -> str | None:
    """Return the path, relative to `cwd`, of the one file whose path ends like `wanted` or that `wanted` ends like."""
    if wanted.is_absolute():
        wanted = Path(*wanted.parts[1:])
    # The artifact's root may lie above or below the folder, so both ends are tried: the exact path first.
    for start in range(len(wanted.parts)):
        part = Path(*wanted.parts[start:])
        if (cwd / part).is_file():
            return str(part)
    found = [path for path in _walk(cwd, wanted.name) if path.parts[-len(wanted.parts) :] == wanted.parts]
    return str(found[0]) if len(found) == 1 else None


def _walk(folder: Path, name: str) -> Iterator[Path]:
    for root, folders, files in os.walk(folder):
        folders[:] = sorted(set(folders) - SKIPPED_FOLDERS)
        if name in files:
            yield Path(root, name).relative_to(folder)


def _no_file(row: "TestRow", cwd: Path) -> UsageError:
    return UsageError(
        f"no file of {row.identity.label} is below {cwd}",
        hint="give the folder of the test project with -C, or run it as: repro -- CMD",
    )
