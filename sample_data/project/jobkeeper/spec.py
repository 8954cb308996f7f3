"""Job files: one TOML table a job, with its command, its time limit and its retries."""

import re
import shlex
import tomllib
from dataclasses import dataclass

_DURATION = re.compile(r"(?:(?P<h>\d+)h)?(?:(?P<m>\d+)m)?(?:(?P<s>\d+)s)?")


class SpecError(ValueError):
    """A job file that cannot be meant as it was written."""


@dataclass(frozen=True, slots=True)
class Spec:
    """What one table of a job file says."""

    name: str
    argv: tuple[str, ...]
    limit_s: int
    attempts: int = 1


def parse_duration(text: str) -> int:
    """Return the seconds in a duration like `1h30m`, `45s` or `2m`."""
    match = _DURATION.fullmatch(text)
    if not text or match is None:
        raise SpecError(f"not a duration: {text!r}")
    hours, minutes, seconds = (int(match[unit] or 0) for unit in "hms")
    return 3600 * hours + 60 * minutes + seconds


def parse(document: str) -> list[Spec]:
    """Read a job file; jobs come in the order of the file."""
    specs = []
    for name, table in tomllib.loads(document).items():
        if not isinstance(table, dict) or "run" not in table:
            raise SpecError(f'job {name!r} has no command: write run = "..."')
        argv = tuple(shlex.split(table["run"]))
        specs.append(Spec(name, argv, parse_duration(table.get("limit", "1h")), table.get("attempts", 1)))
    return specs
