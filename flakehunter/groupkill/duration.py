"""Durations as people write them: `5m`, `90s`, `1.5h`, `200ms`, or plain seconds."""

import re

from flakehunter.errors import UsageError

__all__ = ["parse_duration"]

UNITS_S = {"ms": 0.001, "s": 1.0, "": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def parse_duration(text: str) -> float:
    """Return the seconds that `text` stands for, more than 0 only where it says so.

    Raises:
        UsageError: it is no duration.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(ms|[smhd]?)\s*", text)
    if match is None:
        raise UsageError(f"not a duration: {text!r}", hint="write 200ms, 5s, 5m, 1.5h or a number of seconds")
    return float(match[1]) * UNITS_S[match[2]]
