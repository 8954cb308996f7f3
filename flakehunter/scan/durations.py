"""Durations written in source: `500*time.Millisecond`, `Duration::from_secs(5)`, `0.1`, `TimeSpan.FromSeconds(2)`."""

import re

_NUMBER = r"(?:\d[\d_]*(?:\.\d+)?|\.\d+)(?:[eE][-+]?\d+)?"
_UNITS = {
    "ns": 1e-9, "nano": 1e-9, "nanos": 1e-9, "nanosecond": 1e-9, "nanoseconds": 1e-9,
    "us": 1e-6, "micro": 1e-6, "micros": 1e-6, "microsecond": 1e-6, "microseconds": 1e-6,
    "ms": 1e-3, "milli": 1e-3, "millis": 1e-3, "millisecond": 1e-3, "milliseconds": 1e-3,
    "s": 1.0, "sec": 1.0, "secs": 1.0, "second": 1.0, "seconds": 1.0,
    "m": 60.0, "min": 60.0, "mins": 60.0, "minute": 60.0, "minutes": 60.0, "hour": 3600.0, "hours": 3600.0,
}  # fmt: skip
_WITH_UNIT = re.compile(
    rf"({_NUMBER})\s*\*\s*(?:\w+(?:::|\.))*(\w+)"  # 5 * time.Second, 5*std::chrono::seconds
    rf"|(?:\w+(?:::|\.))*?(?:from_?|of|From|Add)?(\w+?)(?:_f64|_f32)?\(\s*({_NUMBER})[fFdDlL]?\s*\)"  # from_secs(5)
    rf"|\b({_NUMBER})(?:\.|\s*)(ns|us|ms|s|min|secs?|seconds?|milliseconds?|millis|minutes?)\b"  # 5s, 5.seconds
    rf"|\b({_NUMBER})L?\s*,\s*(?:\w+\.)*(NANOSECONDS|MICROSECONDS|MILLISECONDS|SECONDS|MINUTES)\b"  # 5, SECONDS
)
_PLAIN = re.compile(rf"(?<![\w.])({_NUMBER})(?![\w.]|\s*\()")
_PRODUCT = re.compile(rf"(?<![\w.])({_NUMBER})\s*\*\s*({_NUMBER})(?![\w.])")
LEAST_POLL_S = 0.02
IN_MILLISECONDS = frozenset(["javascript", "typescript", "tsx", "java", "kotlin", "csharp"])
"""Languages in which a bare number is most often one of milliseconds."""


def duration_s(text: str, unit_s: float = 1.0) -> float | None:
    """Return the duration in seconds that `text` writes as a constant; a bare number counts in `unit_s`."""
    for found in _WITH_UNIT.finditer(text):
        number = found[1] or found[4] or found[5] or found[7]
        unit = (found[2] or found[3] or found[6] or found[8] or "").lower()
        unit = re.sub(r"^(from|of|add)_?", "", unit)
        if unit in _UNITS:
            return float(number.replace("_", "")) * _UNITS[unit]
    # time.Second alone means one of it.
    alone = re.search(r"\btime\.(Second|Minute|Millisecond)\b", text)
    if alone:
        return _UNITS[alone[1].lower()]
    product = _PRODUCT.search(text)
    if product:
        return float(product[1].replace("_", "")) * float(product[2].replace("_", "")) * unit_s
    plain = _PLAIN.search(text)
    return float(plain[1].replace("_", "")) * unit_s if plain else None


def plausible_s(limit_s: float | None) -> float | None:
    """Return a time limit: a number so small that nobody polls for so many milliseconds is one of seconds."""
    return limit_s * 1000 if limit_s is not None and limit_s < LEAST_POLL_S else limit_s
