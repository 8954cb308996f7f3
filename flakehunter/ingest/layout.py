"""A path template that names the run of each file: `{commit}/{run_id}-{attempt}/{job}/**`."""

import re
from dataclasses import dataclass

from flakehunter.db.rows import RunRow
from flakehunter.errors import UsageError
from flakehunter.ingest.fields import FIELDS, run_of_fields

_HINT = f"write something like '{{commit}}/{{run_id}}-{{attempt}}/{{job}}/**' with the fields {', '.join(FIELDS)}"
_PART = re.compile(r"\{(?P<field>[^{}]*)\}|(?P<deep>\*\*/?)|(?P<star>\*)|(?P<text>[^*{}]+)|(?P<brace>[{}])")


@dataclass(frozen=True, slots=True)
class Layout:
    """A compiled template; paths are relative to the PATH that was given, with `/` between the names."""

    template: str
    pattern: re.Pattern[str]

    def match(self, path: str) -> RunRow | None:
        """Return the run that `path` belongs to; None where the template does not fit."""
        found = self.pattern.fullmatch(path)
        if found is None:
            return None
        parts = found.groupdict()
        return run_of_fields(parts)


def compile_layout(template: str) -> Layout:
    """Compile a path template; `*` stands for anything inside one name, `**` for any names.

    Raises:
        UsageError: a brace is open, a field is unknown or there twice, or there is none.
    """
    pattern = ""
    seen: list[str] = []
    for part in _PART.finditer(template.strip("/")):
        if part["brace"]:
            raise UsageError(f"--layout {template!r} has an unmatched {part['brace']!r}", hint=_HINT)
        if part["field"] is not None:
            pattern += _field(part["field"], seen, template)
        elif part["deep"]:
            pattern += r"(?:.*/)?" if part["deep"].endswith("/") else ".*"
        else:
            pattern += "[^/]*" if part["star"] else re.escape(part["text"])
    if not seen:
        raise UsageError(f"--layout {template!r} names no field", hint=_HINT)
    return Layout(template, re.compile(pattern))


def _field(name: str, seen: list[str], template: str) -> str:
    if name not in FIELDS:
        raise UsageError(f"--layout {template!r} has the unknown field {name!r}", hint=_HINT)
    if name in seen:
        raise UsageError(f"--layout {template!r} has the field {name!r} twice", hint=_HINT)
    seen.append(name)
    shapes = {
        **dict.fromkeys(("attempt", "cpus", "parallel"), r"[1-9]\d{0,8}"),
        "time_limit": r"\d{1,9}(?:\.\d{1,9})?",
        "started_at": r"\d{4}-?\d\d-?\d\d(?:[T_ ]?[\d.:+Z-]+)?",
    }
    return f"(?P<{name}>{shapes.get(name, '[^/]+?')})"
