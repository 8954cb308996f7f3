"""Assertions on how long something took: the longest time that they allow."""

import re

from flakehunter.scan.durations import IN_MILLISECONDS

_NOW = r"(?:now|time|monotonic|perf_counter|currentTimeMillis|nanoTime|uptimeMillis|clock_gettime)"
_TOOK = (
    r"(?:\b\w*(?:[eE]lapsed|took|[dD]uration|delta)\w*(?:\(\))?(?:\.\w+(?:\(\))?)*|\btime\.Since\(\s*\w+\s*\)|"
    rf"(?:\b[\w.]*{_NOW}\([^()]*\)|\b(?:end|stop|after)\w*)\s*-\s*\w*(?:start|begin|before|t0)\w*)"
)
_LIMIT = r"([^,;&|{}]*?\d[^,;&|{}]*?|time\.(?:Second|Millisecond))"
_LESS = re.compile(
    rf"{_TOOK}\W{{0,3}}\s*<=?\s*{_LIMIT}\s*(?:[,;&|]|\)\s*[,;)]|\)?$)"
    rf"|(?:[lL]ess\w*|isLessThan\w*|_L[TE]\w*)\(\s*(?:t,\s*)?(?:[\w.]*\()?{_TOOK}\)?\s*,\s*{_LIMIT}\s*(?:,|\)+;?$)"
    rf"|{_TOOK}\W{{0,4}}(?:to(?:_be)?|[sS]hould|is|Should\(\))?[\w.( ]*?(?:[lL]ess\w*|below|be\s*<=?)\(?"
    rf"\s*{_LIMIT}\)*;?$"
)
_MORE = re.compile(rf"{_TOOK}\)?\s*>=?\s*{_LIMIT}\s*(?:&&|\)?$)")
_MILLISECONDS = re.compile(r"Milli|millis|\b\w+_ms\b|Ms\b")
_SECONDS = re.compile(r"Seconds\b|_s\b|as_secs")


def at_most(source: str, *, fails_above: bool = False) -> str | None:
    """Return what an assertion that has to hold allows at most, as it is written; None where it is not about time.

    With `fails_above`, `source` is the condition of a branch that fails the test.
    """
    found = (_MORE if fails_above else _LESS).search(source)
    limit = next((group for group in found.groups() if group), None) if found is not None else None
    return limit + ")" * (limit.count("(") - limit.count(")")) if limit is not None else None


def unit_s(source: str, language: str) -> float:
    """Return what a bare number in such an assertion counts in, in seconds."""
    if _MILLISECONDS.search(source):
        return 1e-3
    if _SECONDS.search(source) or language not in IN_MILLISECONDS:
        return 1.0
    return 1e-9 if "nanoTime" in source else 1e-3
