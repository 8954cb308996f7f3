"""Lists of flaky tests in the form that test runners take to leave them out, with owner and expiry date."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from flakehunter.clock import utc_now
from flakehunter.detect.assess import Assessment, detect
from flakehunter.detect.owners import Owners, find_codeowners, parse_codeowners
from flakehunter.errors import ConfigError
from flakehunter.model import SCHEMA_VERSION, Mechanism


@dataclass(frozen=True, slots=True)
class Quarantined:
    """One test that is left out until a day."""

    id: str
    classname: str
    name: str
    file: str
    """Path in the repository; guessed from the class name where the artifacts did not say."""
    framework: str
    mechanism: Mechanism | None
    rate: float
    owners: tuple[str, ...]
    since: date
    until: date
    """The last day."""


@dataclass(frozen=True, slots=True)
class Quarantine:
    """The tests that are left out, and those whose time is over though they are still flaky."""

    tests: list[Quarantined]
    expired: list[Quarantined]


def quarantine(
    flaky: Sequence[Assessment],
    *,
    today: date,
    days: int,
    owners: Owners | None = None,
    kept: Mapping[str, tuple[date, date]] | None = None,
) -> Quarantine:
    """Put flaky tests into quarantine for `days` days.

    `kept` holds, by key in hex, first and last day of tests that were in it before: their time goes on, and when it is
    over they run again, so that a quarantine cannot become a graveyard.
    """
    tests: list[Quarantined] = []
    expired: list[Quarantined] = []
    for one in flaky:
        identity = one.test.identity
        since, until = (kept or {}).get(identity.key.hex(), (today, today + timedelta(days=days)))
        file = one.test.file or _guessed_file(identity.classname)
        entry = Quarantined(
            id=identity.label,
            classname=identity.classname,
            name=identity.name,
            file=file,
            framework=one.test.framework,
            mechanism=one.weighed.mechanism,
            rate=one.weighed.rate.value,
            owners=owners.of(file) if owners else (),
            since=since,
            until=until,
        )
        (tests if until >= today else expired).append(entry)
    return Quarantine(tests, expired)


def _guessed_file(classname: str) -> str:
    """Return the file of a dotted pytest class name (`tests.test_it.TestIt`), or the class name where it is a path."""
    if "/" in classname or not re.fullmatch(r"[\w.]+", classname):
        return classname
    parts = classname.split(".")
    while len(parts) > 1 and parts[-1][:1].isupper():
        parts.pop()
    return "/".join(parts) + ".py"


def read_kept(path: Path) -> dict[str, tuple[date, date]]:
    """Read first and last days from the file that `write_kept` wrote; a file that does not exist yet holds nothing.

    Raises:
        ConfigError: the file is something else.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        return {
            entry["key"]: (date.fromisoformat(entry["since"]), date.fromisoformat(entry["until"]))
            for entry in document["tests"]
        }
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, LookupError, TypeError) as error:
        hint = "it is written by flakehunter quarantine --keep: restore or remove it"
        raise ConfigError(f"cannot read quarantine file {path}: {error}", path=path, hint=hint) from error


def kept_document(flaky: Sequence[Assessment], entries: Quarantine) -> str:
    """Return the text of the file that remembers first and last days."""
    days = {entry.id: entry for entry in [*entries.tests, *entries.expired]}
    rows = [
        {
            "key": one.test.identity.key.hex(),
            "id": one.test.identity.label,
            "since": days[one.test.identity.label].since.isoformat(),
            "until": days[one.test.identity.label].until.isoformat(),
        }
        for one in flaky
    ]
    return json.dumps({"schema_version": SCHEMA_VERSION, "tests": rows}, indent=2, ensure_ascii=False) + "\n"


def as_json(entries: Quarantine) -> str:
    """Return the whole quarantine as JSON."""

    def row(one: Quarantined) -> dict[str, Any]:
        return {
            "id": one.id,
            "classname": one.classname,
            "name": one.name,
            "file": one.file,
            "mechanism": one.mechanism.value if one.mechanism else None,
            "flake_rate": round(one.rate, 6),
            "owners": list(one.owners),
            "since": one.since.isoformat(),
            "until": one.until.isoformat(),
        }

    document = {
        "schema_version": SCHEMA_VERSION,
        "tests": [row(one) for one in entries.tests],
        "expired": [row(one) for one in entries.expired],
    }
    return json.dumps(document, indent=2, ensure_ascii=False)


def _note(one: Quarantined) -> str:
    owners = " ".join(one.owners) or "nobody"
    cause = one.mechanism or "unknown cause"
    return f"{one.id}: {cause}, owner {owners}, until {one.until.isoformat()}"


def _pytest(entries: Sequence[Quarantined]) -> str:
    """`pytest @FILE` (8.2 and later): one argument a line; the file has no comments."""
    return "\n".join(f"--deselect={_node(one)}" for one in entries)


def _node(one: Quarantined) -> str:
    module = one.file.removesuffix(".py").replace("/", ".")
    inner = one.classname.removeprefix(module).strip(".") if one.classname.startswith(module) else ""
    return "::".join([one.file, *(inner.split(".") if inner else []), one.name])


def _javascript(entries: Sequence[Quarantined]) -> str:
    """A pattern for `-t` of Jest and Vitest that fits every full name but these; both join the names by blanks."""
    names = "|".join(re.escape(one.name.replace(" > ", " ")) for one in entries)
    # Only characters that mean something to JavaScript may stay escaped, or `u` patterns refuse it.
    return f"^(?!(?:{_plain_escapes(names)})$)" if entries else "."


def _plain_escapes(pattern: str) -> str:
    return re.sub(r"\\([^\w\s.*+?^${}()|\[\]\\/])", r"\1", pattern.replace("\\ ", " "))


def _go(entries: Sequence[Quarantined]) -> str:
    """A pattern for `go test -skip` (1.20 and later): parts of subtests by slashes, each anchored."""
    return "|".join("/".join(f"^{_go_escape(part)}$" for part in one.name.split("/")) for one in entries)


def _go_escape(part: str) -> str:
    return re.sub(r"([.*+?^${}()|\[\]\\])", r"\\\1", part.replace(" ", "_"))


_METHOD_END = re.compile(r"[(\[{ ]")
_NEXTEST_SPECIAL = re.compile(r"([,()\\])")
_ESCAPED = r"\\\1"


def _junit5(entries: Sequence[Quarantined]) -> str:
    """For `mvn test -Dtest=…` of Surefire: every test but these methods."""
    return ",".join(f"!{one.classname}#{_METHOD_END.split(one.name)[0]}" for one in entries)


def _nextest(entries: Sequence[Quarantined]) -> str:
    """A filterset for `cargo nextest run -E`: every test but these."""
    names = " or ".join(f"test(={_NEXTEST_SPECIAL.sub(_ESCAPED, one.name)})" for one in entries)
    return f"not ({names})" if entries else "all()"


def _rspec(entries: Sequence[Quarantined]) -> str:
    """A file for `rspec --require`: leaves out the examples of these full descriptions."""
    lines = ["# Flaky tests that are left out; written by flakehunter quarantine.", "RSpec.configure do |config|"]
    for one in entries:
        lines += [f"  # {_note(one)}", f"  config.filter_run_excluding full_description: {json.dumps(one.name)}"]
    return "\n".join([*lines, "end"])


FORMS: Mapping[str, Callable[[Sequence[Quarantined]], str]] = {
    "pytest": _pytest,
    "jest": _javascript,
    "vitest": _javascript,
    "go": _go,
    "junit5": _junit5,
    "nextest": _nextest,
    "rspec": _rspec,
}


def notes(entries: Quarantine) -> list[str]:
    """Return one line a test for people: cause, owner, last day; and the tests whose time is over."""
    lines = [_note(one) for one in entries.tests]
    return lines + [f"{_note(one)}: expired, runs again" for one in entries.expired]


def quarantine_project(
    url: str, *, project: str | None, days: int, keep: Path | None, codeowners: Path | None, framework: str
) -> Quarantine:
    """Judge the tests of the database at `url`, and put the flaky ones of a runner into quarantine.

    Tests of another known framework are left out of the list for a runner; JSON has all.

    Raises:
        ConfigError: `keep` or `codeowners` cannot be read or written.
        NothingToDoError, UsageError, DatabaseError: as `assess.detect`.
    """
    flaky = [one for one in detect(url, project=project).flaky if _is_for(one.test.framework, framework)]
    owners = _read_owners(codeowners)
    kept = read_kept(keep) if keep else None
    entries = quarantine(flaky, today=utc_now().date(), days=days, owners=owners, kept=kept)
    if keep:
        try:
            keep.write_text(kept_document(flaky, entries), encoding="utf-8")
        except OSError as error:
            raise ConfigError(
                f"cannot write quarantine file {keep}: {error.strerror}", path=keep, hint="check --keep"
            ) from error
    return entries


_FAMILIES = {"pytest": {"pytest"}, "jest": {"jest", "vitest"}, "vitest": {"jest", "vitest"}, "go": {"go", "gotest"}}


def _is_for(known: str, wanted: str) -> bool:
    family = _FAMILIES.get(wanted)
    every = {name for names in _FAMILIES.values() for name in names}
    return family is None or known in family or known not in every


def _read_owners(path: Path | None) -> Owners | None:
    path = path or find_codeowners(Path.cwd())
    if path is None:
        return None
    try:
        return parse_codeowners(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {error}", path=path, hint="check --codeowners") from error
