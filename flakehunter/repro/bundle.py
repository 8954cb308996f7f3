"""repro.toml: the seed of a reproduction, which replays it here or on a colleague's machine."""

import json
import shlex
import tomllib
from pathlib import Path
from typing import Any

from flakehunter.errors import ConfigError, UsageError
from flakehunter.repro.command import Command

KEYS = frozenset({"test", "command", "fix", "stress", "plan", "verdict", "schema_version"})


def write_bundle(
    path: Path, *, test: str | None, command: Command, fix: Command | None, document: dict[str, Any]
) -> None:
    """Write what is needed to run the winning plan again.

    Raises:
        UsageError: the file cannot be written.
    """
    said = document["plan"].get("text")
    lines = ["# Replay with: flakehunter repro --replay " + shlex.quote(path.name)]
    if said:
        lines.append("# It " + " ".join(said.split()))
    values = {
        "schema_version": 1,
        "test": test,
        "command": None if test is not None else command.shown,
        "fix": fix.shown if fix is not None and test is None else None,
        "stress": document["arms"][0]["stressor"],
        "verdict": document["verdict"],
    }
    # A JSON string is a TOML basic string, but for DEL, which no command line holds.
    lines += [f"{key} = {json.dumps(value)}" for key, value in values.items() if value is not None]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}", hint="give another file with --save") from error


def read_bundle(path: Path) -> dict[str, Any]:
    """Return test or words, fix and stress of a repro.toml.

    Raises:
        ConfigError: it cannot be read, or is no such file.
    """
    hint = "give a file that flakehunter repro --save wrote"
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}", path=path, hint=hint) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}", path=path, hint=hint) from error
    wrong = sorted(set(document) - KEYS) or [key for key in ("stress",) if not isinstance(document.get(key), str)]
    if wrong or ("test" in document) == ("command" in document):
        what = f"{wrong[0]} is unknown or missing" if wrong else "it needs either a test or a command"
        raise ConfigError(f"{path}: {what}", path=path, hint=hint)
    return document
