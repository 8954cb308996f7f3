"""Tell from the source whether a line is inside a loop that polls, by indentation: the same for every language.

A trace of a poll loop whose first look already has the right answer is the trace of a single look. Only the source
tells them apart. Formatters of Python, JavaScript, Ruby, Go and shell all agree on indentation, so no parser is needed:
a loop is a header line (`while`, `for`, `until`, `loop`, a waiting function of a test library) with deeper lines below
it, and it polls when these pause or look at a deadline.
"""

import re
from functools import lru_cache
from pathlib import Path

__all__ = ["in_polling_loop"]

_HEADER = re.compile(
    r"^\s*(?:\}?\s*(?:async\s+)?(?:while|for|until|loop|do|repeat)\b)"
    r"|\b(?:setInterval|waitFor|waitUntil|wait_until|wait_for_condition|eventually|Eventually|retry|expect\.poll)\w*\s*\("
)
_POLLS = re.compile(
    r"sleep|pause|delay|setTimeout|deadline|timeout|monotonic|perf_counter|time\.time|Date\.now|performance\.now"
    r"|\.wait\(|select|tick|attempt|retr",
    re.IGNORECASE,
)
_KEEPS = re.compile(r"^\s*(?:(?:const|let|var|auto)\s+)?(\w+)\s*:?=(?!=)(.*)")
_CALL = re.compile(r"\b(\w+)\(")
_LARGEST_FILE = 2_000_000


@lru_cache(maxsize=64)
def _lines(file: str) -> tuple[str, ...]:
    path = Path(file)
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST_FILE:
            return ()
        return tuple(path.read_text(encoding="utf-8", errors="replace").expandtabs(4).splitlines())
    except OSError:
        return ()


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


@lru_cache(maxsize=4096)
def in_polling_loop(file: str, line: int) -> bool:
    """Tell whether line `line` (from 1) of `file` is the header of, or inside, a loop that pauses or has a deadline.

    A look right before such a loop, which it goes on with, is its first round.

    False when the file cannot be read.
    """
    lines = _lines(file)
    if not 1 <= line <= len(lines):
        return False
    return _is_inside(lines, line) or _is_first_round(lines, line)


def _is_inside(lines: tuple[str, ...], line: int) -> bool:
    depth = _indent(lines[line - 1]) + 1
    for number in range(line - 1, -1, -1):
        text = lines[number]
        if not text.strip() or _indent(text) >= depth:
            continue
        depth = _indent(text)
        if _HEADER.search(text) and _POLLS.search(_block(lines, number)):
            return True
        if depth == 0:
            return False
    return False


def _is_first_round(lines: tuple[str, ...], line: int) -> bool:
    """Tell whether the line keeps what a call says for a loop right below, which polls by the same call.

    A loop that looks again only where it has to begins with a look before it.
    """
    first = _KEEPS.match(lines[line - 1])
    if first is None:
        return False
    depth, kept = _indent(lines[line - 1]), re.compile(rf"\b{first[1]}\b")
    calls = [re.compile(rf"\b{name}\(") for name in _CALL.findall(first[2])]
    for number in range(line, len(lines)):
        text = lines[number]
        if text.strip() and _indent(text) < depth:
            return False
        if _indent(text) == depth and _HEADER.search(text):
            block = _block(lines, number)
            if kept.search(block) and _POLLS.search(block) and any(call.search(block) for call in calls):
                return True
    return False


def _block(lines: tuple[str, ...], header: int) -> str:
    """Return the header and the deeper lines below it, and the closing line of a `do … while`."""
    depth = _indent(lines[header])
    end = header + 1
    while end < len(lines) and (not lines[end].strip() or _indent(lines[end]) > depth):
        end += 1
    return "\n".join(lines[header : end + 1])
