"""Text on its way into the database: no control characters, no secrets, no endless dumps."""

import re

from flakehunter.ingest.redact import redact

ANSI = re.compile(r"\x1b(?:\[[0-9;:<=>?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()][0-9A-Za-z]|[=>78cDEHMNOZ])")
"""Escape sequences of terminals (ECMA-48): colours, cursor movements, titles."""

# PostgreSQL takes no NUL, neither server takes a lone surrogate, and nobody can read the others.
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


def printable(text: str) -> str:
    """Return `text` without terminal escapes, and with control characters and lone surrogates replaced."""
    if text.isprintable():
        return text
    return _UNPRINTABLE.sub("\ufffd", ANSI.sub("", text))


def cut(text: str, limit: int) -> str:
    """Return `text`, or its beginning and end where it is longer than `limit` characters."""
    if len(text) <= limit:
        return text
    head = limit * 2 // 3
    tail = limit - head
    return f"{text[:head]}\n[… {len(text) - limit} characters left out …]\n{text[-tail:]}"


def stored(text: str | None, limit: int) -> str:
    """Return `text` as it may be stored: printable, without secrets, at most about `limit` characters."""
    return redact(cut(printable(text or ""), limit))


def stored_name(text: str, limit: int) -> str:
    """Return the name of a test or suite as it may be stored: like `stored`, on one line, and never redacted.

    A name that is too long keeps its beginning; names differ at the front.
    """
    if len(text) > limit:
        text = text[:limit]
    if text.isprintable():
        return text
    return _UNPRINTABLE.sub("\ufffd", ANSI.sub("", text))
