"""Values of JUnit attributes as they are really written: durations, moments, counts."""

import re
from datetime import UTC, datetime

_DURATION = re.compile(r"\s*([\d.,']+(?:[eE][-+]?\d+)?)\s*(ms|s|sec|secs|seconds)?\s*")


def seconds(text: str | None) -> float | None:
    """Read a duration: `0.12`, `1,234.5`, `0,12`, `1.234,5`, `12s`, `3 ms`; None for what is no number from 0 up.

    A comma is a decimal comma when it is the last separator and not followed by exactly three digits, which make it
    a thousands separator (Surefire before 2.20 writes `1,234.5`).
    """
    if not text:
        return None
    found = _DURATION.fullmatch(text)
    if found is None:
        return None
    number = found[1].replace("'", "")
    if "," in number:
        comma, dot = number.rfind(","), number.rfind(".")
        if comma > dot and (dot >= 0 or len(number) - comma - 1 != 3):
            number = number.replace(".", "").replace(",", ".")
        else:
            number = number.replace(",", "")
    try:
        value = float(number)
    except ValueError:
        return None
    if found[2] == "ms":
        value /= 1000
    return value if 0.0 <= value < 1e10 else None


def parse_timestamp(text: str) -> datetime | None:
    """Read a suite's timestamp: ISO 8601 with or without a zone (then UTC), or milliseconds since 1970."""
    text = text.strip()
    if not text:
        return None
    try:
        if text.isdigit() and len(text) in (10, 13):
            return datetime.fromtimestamp(int(text) / (1000 if len(text) == 13 else 1), tz=UTC)
        moment = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text))
    except (ValueError, OverflowError, OSError):
        return None
    try:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def count(text: str | None) -> int:
    """Read a number of tests or a line; 0 for what is no plain number."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else 0
