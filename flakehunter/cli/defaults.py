"""Options set from outside: `FLAKEHUNTER_<COMMAND>_<OPTION>`, and the tables of `[tool.flakehunter]`."""

from collections.abc import Mapping
from typing import Any

from flakehunter.config import Config
from flakehunter.errors import ConfigError


def option_defaults(group: Any, config: Config) -> dict[str, Any]:
    """Return click's `default_map` for the commands of `group`: `{command: {parameter: value}}`.

    A key outside a command's table is the default of every option of that name (`db = "ci.db"`), a key in the
    table of a command (`[tool.flakehunter.ingest]`) of that command's alone, and wins.

    Raises:
        ConfigError: a key names no option, or a table no command.
    """
    if not config.options:
        return {}
    group.load_all()
    shared = {_parameter(key): value for key, value in config.options.items() if not isinstance(value, Mapping)}
    tables = {key: value for key, value in config.options.items() if isinstance(value, Mapping)}
    known: set[str] = set()
    defaults = _for_group(group, tables, shared, known, config)
    for key in config.options:
        if _parameter(key) not in known and key not in group.commands:
            raise _unknown(key, known | set(group.commands), config)
    return defaults


def name_variables(name: str, command: Any, prefix: str = "FLAKEHUNTER") -> None:
    """Give every option of a command, and of those below it, the variable `<PREFIX>_<COMMAND>_<OPTION>`.

    Typer would name it after the Python argument, which cannot be called `for` and should not be called `format`.
    """
    own = f"{prefix}_{_parameter(name).upper()}"
    for below, its_command in getattr(command, "commands", {}).items():
        name_variables(below, its_command, own)
    if not hasattr(command, "commands"):
        for option in _options(command):
            if option.envvar is None:
                option.envvar = f"{own}_{long_name(option).upper()}"


def _for_group(
    group: Any, tables: Mapping[str, Any], shared: Mapping[str, Any], known: set[str], config: Config
) -> dict[str, Any]:
    defaults: dict[str, Any] = {}
    for name, command in group.commands.items():
        table = tables.get(name, {})
        if hasattr(command, "commands"):
            defaults[name] = _for_group(command, table, shared, known, config)
            continue
        names = {long_name(option): option.name for option in _options(command)}
        known |= set(names)
        own = {_parameter(key): value for key, value in table.items()}
        for key in table:
            if _parameter(key) not in names:
                raise _unknown(f"{name}.{key}", {f"{name}.{option}" for option in names}, config)
        defaults[name] = {names[key]: value for key, value in {**shared, **own}.items() if key in names}
    return defaults


def _options(command: Any) -> list[Any]:
    return [parameter for parameter in command.params if parameter.param_type_name == "option"]


def long_name(option: Any) -> str:
    """Return `max_rate` for an option that is written `--max-rate`."""
    return next(_parameter(name[2:]) for name in option.opts if name.startswith("--"))


def _parameter(key: str) -> str:
    return key.replace("-", "_")


def _unknown(key: str, known: set[str], config: Config) -> ConfigError:
    assert config.path is not None
    import difflib

    near = difflib.get_close_matches(_parameter(key), sorted(known), n=1)
    hint = f"did you mean {near[0].replace('_', '-')}?" if near else "see docs/configuration.md for the settings"
    return ConfigError(f"{config.path}: unknown setting {key!r}", path=config.path, hint=hint)
