"""Times that users write: `90`, `90s`, `5m`, `1h`, `500ms`."""

import re

from flakehunter.errors import UsageError

SECONDS = {"ms": 0.001, "": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}


def parse_duration(text: str, option: str) -> float:
    """Return seconds; a bare number means seconds.

    Raises:
        UsageError: it is no time; `option` says which one was meant.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|)\s*", text)
    if found is None:
        raise UsageError(f"{option} {text!r} is no time", hint="write 500ms, 60s, 5m or 1h")
    return float(found[1]) * SECONDS[found[2]]
