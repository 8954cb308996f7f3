"""What a runner says at its start of how it runs: tests at a time, and how long one may take."""

import re

from flakehunter.db.rows import RunSettings

__all__ = ["note_setting"]

# Only lines that a runner prints before its first test, or in no test's output.
_LINES = {
    "pytest": re.compile(
        r"(?:created: \d+/(?P<created>\d+) workers?|(?P<workers>\d+) workers? \[\d+ items?\]"
        r"|timeout: (?P<seconds>\d+(?:\.\d+)?)s)$"  # pytest-xdist, pytest-timeout
    ),
    "playwright": re.compile(r"Running \d+ tests? using (?P<workers>\d+) workers?$"),
}


def note_setting(settings: RunSettings, runner: str, line: str) -> None:
    """Take a line of that runner's output which belongs to no test; the first word on each setting counts."""
    pattern = _LINES.get(runner)
    found = pattern.match(line) if pattern is not None else None
    if found is None:
        return
    said = {name: value for name, value in found.groupdict().items() if value is not None}
    if "seconds" in said:
        settings.time_limit_s = settings.time_limit_s or float(said["seconds"]) or None
    else:
        settings.parallel = settings.parallel or int(said.get("created") or said["workers"]) or None
