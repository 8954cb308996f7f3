"""Configuration: `[tool.flakehunter]` of the nearest pyproject.toml, or a flakehunter.toml, as plain data."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flakehunter.errors import ConfigError

DEFAULT_DATABASE = Path(".flakehunter") / "flakehunter.db"
"""Where the database is when nobody says otherwise, below the working directory."""


@dataclass(frozen=True, slots=True)
class Runner:
    """How to run one test of a framework again.

    `command` is split like a shell line, without a shell; its words may hold `{python}`, `{test}` (the node id),
    `{file}`, `{name}` (as the framework's own filter wants it) and `{junit}` (a file that the command must write).
    `cwd` is relative to the folder of the configuration file.
    """

    command: str
    cwd: str = "."
    env: Mapping[str, str] = field(default_factory=dict)


DEFAULT_RUNNERS: Mapping[str, Runner] = {
    "pytest": Runner("{python} -m pytest -q -p no:cacheprovider -o junit_family=xunit2 --junitxml={junit} {test}"),
    "vitest": Runner("npx vitest run --reporter=junit --outputFile={junit} {file} -t {name}"),
}


@dataclass(frozen=True, slots=True)
class Config:
    """What the configuration file says; `root` is its folder, `path` is None where there is no such file."""

    root: Path
    path: Path | None
    runners: Mapping[str, Runner]
    options: Mapping[str, Any]
    """Defaults of command-line options: by option name for every command, or below the command's name."""


def find_config(start: Path) -> Path | None:
    """Return the configuration file nearest to `start`, upwards: flakehunter.toml before pyproject.toml."""
    for folder in (start, *start.parents):
        own = folder / "flakehunter.toml"
        if own.is_file():
            return own
        shared = folder / "pyproject.toml"
        if shared.is_file() and "tool.flakehunter" in shared.read_text(encoding="utf-8", errors="replace"):
            return shared
    return None


def load_config(path: Path | None = None, *, start: Path | None = None) -> Config:
    """Read the configuration from `path`, else from the file nearest to `start` (default: the working directory).

    Raises:
        ConfigError: the file cannot be read, is not TOML, or holds a value of the wrong type.
    """
    start = (start or Path.cwd()).resolve()
    path = path or find_config(start)
    if path is None:
        return Config(root=start, path=None, runners=dict(DEFAULT_RUNNERS), options={})
    import tomllib  # only where there is a file: start-up counts

    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}", path=path, hint="check --config") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}", path=path, hint="mend the file") from error
    table = document if path.name == "flakehunter.toml" else document.get("tool", {}).get("flakehunter", {})
    if not isinstance(table, dict):
        raise ConfigError(f"{path}: tool.flakehunter is not a table", path=path, hint="write [tool.flakehunter]")
    options = {key: value for key, value in table.items() if key != "runners"}
    return Config(root=path.resolve().parent, path=path, runners=_runners(table, path), options=options)


def _runners(table: Mapping[str, Any], path: Path) -> dict[str, Runner]:
    runners = dict(DEFAULT_RUNNERS)
    configured = table.get("runners", {})
    if not isinstance(configured, dict):
        raise ConfigError(f"{path}: runners is not a table", path=path, hint="write [tool.flakehunter.runners.pytest]")
    for name, entry in configured.items():
        if problem := _runner_problem(entry):
            where, what = problem
            raise ConfigError(
                f"{path}: runners.{name}{where}: {what}",
                path=path,
                hint="a runner has command, a line of text, and if need be cwd and env, a table of texts",
            )
        words: Mapping[str, Any] = {"command": entry} if isinstance(entry, str) else entry
        runners[name] = Runner(words["command"], words.get("cwd", "."), words.get("env", {}))
    return runners


def _runner_problem(entry: Any) -> tuple[str, str] | None:
    """Return the key that is wrong in a runner of the configuration file, and what it is; None if it can be used."""
    if isinstance(entry, str):
        return None
    if not isinstance(entry, dict):
        return "", f"is {_kind(entry)}, neither a command nor a table"
    if unknown := sorted(set(entry) - {"command", "cwd", "env"}):
        return "", f"unknown key {unknown[0]!r}"
    if "command" not in entry:
        return "", "a runner needs a command"
    env = entry.get("env", {})
    if not isinstance(env, dict):
        return ".env", f"is {_kind(env)}, not a table"
    texts = {f".{key}": entry[key] for key in ("command", "cwd") if key in entry}
    texts |= {f".env.{variable}": value for variable, value in env.items()}
    wrong = ((key, f"is {_kind(value)}, not text") for key, value in texts.items() if not isinstance(value, str))
    return next(wrong, None)


def _kind(value: Any) -> str:
    """Return what TOML calls a value of this type."""
    kinds = {str: "text", bool: "a boolean", int: "an integer", float: "a number", list: "a list", dict: "a table"}
    return kinds.get(type(value), "a date or time")


def database_url(option: str | None) -> str:
    """Return the SQLAlchemy URL for `--db` (a URL or a path), `FLAKEHUNTER_DB`, or the default file."""
    wanted = option or os.environ.get("FLAKEHUNTER_DB") or str(DEFAULT_DATABASE)
    if "://" not in wanted:
        return f"sqlite:///{Path(wanted).absolute()}"
    scheme, _, rest = wanted.partition("://")
    # The two spellings of PostgreSQL that users copy from elsewhere; only psycopg 3 is supported.
    return f"postgresql+psycopg://{rest}" if scheme in ("postgres", "postgresql") else wanted
