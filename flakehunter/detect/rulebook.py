"""The text rules: data files of patterns, each with its mechanism, weight, source and an example that must match."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from flakehunter.errors import ConfigError, UsageError
from flakehunter.model import Mechanism

CHANNELS = ("message", "detail", "source", "code", "log", "name")
"""What a rule may look at: type and message; what the detail says besides; source lines that it quotes, as they
are and with empty string literals; log lines of the failed run that belong to the test; the test's own name."""

DEFAULT_CHANNELS = ("message", "detail", "log")

_KEYS = {"id", "mechanism", "pattern", "weight", "source", "says", "example", "counter", "where"}
_MACRO = re.compile(r"<<(\w+)>>")


@dataclass(frozen=True, slots=True)
class Rule:
    """One pattern over text."""

    id: str
    mechanism: Mechanism
    regex: str
    """The pattern as text, macros filled in."""
    weight: float
    """Probability that a flaky test has this mechanism when this rule is all that is known of it."""
    says: str
    """What a match means, in words."""
    source: str
    example: str
    counter: tuple[str, ...]
    """Texts that must not match."""
    where: tuple[str, ...]

    @property
    def pattern(self) -> re.Pattern[str]:
        """Return the pattern, compiled when it is first asked for: all of them take a fifth of a second."""
        return _compiled(self.regex)


@cache
def _compiled(regex: str) -> re.Pattern[str]:
    return re.compile(regex, re.MULTILINE)


@cache
def built_in() -> tuple[Rule, ...]:
    """Return the rules that come with flakehunter."""
    folder = resources.files("flakehunter.detect") / "rules"
    macros = _macros()
    rules: list[Rule] = []
    for mechanism in Mechanism:
        document = tomllib.loads((folder / f"{mechanism.value}.toml").read_text(encoding="utf-8"))
        rules += [parse_rule({"mechanism": mechanism.value} | entry, macros) for entry in document["rule"]]
    return tuple(rules)


def with_own(own: Sequence[Mapping[str, Any]]) -> tuple[Rule, ...]:
    """Return the built-in rules and, before them, the user's; one with the id of a built-in rule replaces it.

    Raises:
        UsageError: a rule lacks a key, or its pattern, mechanism or weight is wrong.
    """
    added = tuple(parse_rule(entry, _macros()) for entry in own)
    for rule in added:
        _check(rule)
    ids = {rule.id for rule in added}
    return (*added, *(rule for rule in built_in() if rule.id not in ids))


@cache
def _macros() -> Mapping[str, str]:
    text = (resources.files("flakehunter.detect") / "rules" / "macros.toml").read_text(encoding="utf-8")
    macros: dict[str, str] = tomllib.loads(text)["macros"]
    return macros


def parse_rule(entry: Mapping[str, Any], macros: Mapping[str, str]) -> Rule:
    """Make a rule of a TOML table; whether its pattern is a regular expression is not looked at.

    Raises:
        UsageError: as `with_own`, but for the pattern.
    """
    name = str(entry.get("id", "?"))
    missing = sorted({"id", "mechanism", "pattern"} - set(entry))
    unknown = sorted(set(entry) - _KEYS)
    if missing or unknown:
        what = f"lacks {missing[0]!r}" if missing else f"has an unknown key {unknown[0]!r}"
        raise UsageError(f"rule {name!r} {what}", hint=f"a rule has the keys {', '.join(sorted(_KEYS))}")
    try:
        mechanism = Mechanism(entry["mechanism"])
    except ValueError:
        hint = f"one of: {', '.join(Mechanism)}"
        raise UsageError(f"rule {name!r}: there is no mechanism {entry['mechanism']!r}", hint=hint) from None
    weight = entry.get("weight", 0.7)
    if not isinstance(weight, int | float) or not 0.0 < weight < 1.0:
        raise UsageError(f"rule {name!r}: weight {weight!r} is not between 0 and 1", hint="0.5 is weak, 0.9 is strong")
    where = tuple(entry.get("where", DEFAULT_CHANNELS))
    if not set(where) <= set(CHANNELS):
        raise UsageError(f"rule {name!r}: where = {list(where)}", hint=f"some of: {', '.join(CHANNELS)}")
    return Rule(
        id=name,
        mechanism=mechanism,
        regex=_filled(name, str(entry["pattern"]), macros),
        weight=float(weight),
        says=str(entry.get("says", f"the text fits rule {name}")),
        source=str(entry.get("source", "configuration")),
        example=str(entry.get("example", "")),
        counter=tuple(entry.get("counter", ())),
        where=where,
    )


def _filled(name: str, pattern: str, macros: Mapping[str, str]) -> str:
    try:
        return _MACRO.sub(lambda match: f"(?:{macros[match[1]]})", pattern)
    except KeyError as error:
        raise UsageError(f"rule {name!r}: there is no macro {error}", hint=f"one of: {', '.join(macros)}") from None


def _check(rule: Rule) -> None:
    """Compile the pattern, which of the built-in rules the tests do."""
    try:
        _compiled(rule.regex)
    except re.error as error:
        hint = "the pattern is a regular expression of Python's re"
        raise UsageError(f"rule {rule.id!r}: {error}", hint=hint) from None


def read_rules(files: Sequence[Path]) -> tuple[Rule, ...]:
    """Return the built-in rules and, before them, those of the user's files.

    Raises:
        ConfigError: a file cannot be read, or is not TOML with [[rule]] tables.
        UsageError: as `with_own`.
    """
    own: list[Mapping[str, Any]] = []
    for path in files:
        try:
            document = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise ConfigError(f"cannot read {path}: {error.strerror}", path=path, hint="check --rules") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path} is not valid TOML: {error}", path=path, hint="mend the file") from error
        tables = document.get("rule")
        if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
            raise ConfigError(f"{path} has no [[rule]] tables", path=path, hint="see docs/verdicts.md for an example")
        own += tables
    return with_own(own)
