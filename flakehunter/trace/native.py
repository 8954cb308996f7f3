"""Native stack traces, as `strace -k` prints them below a call: from return addresses to file and line.

A frame is ` > BINARY(FUNCTION+OFFSET) [ADDRESS]` (strace(1)); addr2line(1) knows the source of an address where the
binary has debugging information. The address is where the call returns to, so the call itself is one before it.
"""

import re
import shutil
import subprocess
from collections.abc import Sequence
from functools import lru_cache

from flakehunter.trace.marks import Mark

__all__ = ["FRAME", "native_mark"]

FRAME = b" > "
_FRAME = re.compile(r" > (/.*)\(.*\) \[0x([0-9a-f]+)\]\s*$")
_LIBRARIES = re.compile(r"^/(?:usr/)?lib(?:32|64)?/|\.so[.0-9]*$")
_TIMEOUT_S = 10.0
MOST_FRAMES = 6


def native_mark(frames: Sequence[str]) -> Mark | None:
    """Return a mark of the program's own frames, innermost first; None when no source is known for any of them."""
    stack = []
    for frame in frames:
        parts = _FRAME.match(frame)
        if parts is None or _LIBRARIES.search(parts[1]):
            continue
        place = _source(parts[1], int(parts[2], 16) - 1)
        if place is not None:
            stack.append(place)
        if len(stack) == MOST_FRAMES:
            break
    return Mark("native", tuple(stack)) if stack else None


@lru_cache(maxsize=4096)
def _source(binary: str, address: int) -> tuple[str, int] | None:
    program = shutil.which("addr2line")
    if program is None:
        return None
    words = [program, "-e", binary, hex(address)]
    said = subprocess.run(words, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S).stdout.strip()
    file, _, line = said.partition(" (")[0].rpartition(":")
    return (file, int(line)) if line.isdigit() and int(line) and not file.startswith("?") else None
