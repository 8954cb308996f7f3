"""repro.toml: the seed of a reproduction, which replays it here or on a colleague's machine."""

import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flakehunter.errors import ConfigError, UsageError

KEYS = frozenset(
    {"test", "command", "fix", "fix_rev", "fix_test", "fix_env", "group_kill", "stress", "verdict", "schema_version"}
)
LISTS = ("fix_env", "group_kill")


def write_bundle(path: Path, question: Mapping[str, Any], document: Mapping[str, Any]) -> None:
    """Write what is needed to run the winning plan again: what was asked, and the stress that `document` found.

    Raises:
        UsageError: the file cannot be written.
    """
    said = document["plan"].get("text")
    lines = ["# Replay with: flakehunter repro --replay " + shlex.quote(path.name)]
    if said:
        lines.append("# It " + " ".join(said.split()))
    values = {
        "schema_version": 1,
        **question,
        "stress": document["arms"][0]["stressor"],
        "verdict": document["verdict"],
    }
    # A JSON string is a TOML basic string, but for DEL, which no command line holds; a JSON list of them is one, too.
    lines += [f"{key} = {json.dumps(value)}" for key, value in values.items() if value is not None]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}", hint="give another file with --save") from error


def read_bundle(path: Path) -> dict[str, Any]:
    """Return test or command, the fix and the stress of a repro.toml.

    Raises:
        ConfigError: it cannot be read, or is no such file.
    """
    import tomllib

    hint = "give a file that flakehunter repro --save wrote"
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}", path=path, hint=hint) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}", path=path, hint=hint) from error
    wrong = sorted(set(document) - KEYS) or [
        key for key in ("stress", *sorted(document)) if not _is_right(key, document.get(key))
    ]
    if wrong or ("test" in document) == ("command" in document):
        what = f"{wrong[0]} is unknown, missing or wrong" if wrong else "it needs either a test or a command"
        raise ConfigError(f"{path}: {what}", path=path, hint=hint)
    return document


def _is_right(key: str, value: object) -> bool:
    if key == "schema_version":
        return value == 1
    if key in LISTS:
        return isinstance(value, list) and all(isinstance(word, str) for word in value)
    return isinstance(value, str)
