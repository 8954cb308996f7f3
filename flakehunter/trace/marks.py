"""Marks: what the hooks in a traced program say of its next system call, as the path of a file that does not exist.

A hook calls access(2) on `/.flakehunter/WHAT/KEY=VALUE,…/FILE:LINE|FILE:LINE` right before it looks, signals or arms a
timer, and when a test begins and ends (windows.py). The call costs a microsecond, needs no descriptor, and strace shows
it in its place among the others.
"""

from dataclasses import dataclass
from urllib.parse import unquote

from flakehunter.trace.loops import in_polling_loop

__all__ = ["PREFIX", "Mark", "parse_mark"]

PREFIX = "/.flakehunter/"


@dataclass(frozen=True, slots=True)
class Mark:
    """Where in the source a call was made: `stack` holds (file, line) of the program's own frames, innermost first."""

    what: str
    stack: tuple[tuple[str, int], ...] = ()
    timeout_s: float | None = None
    """The deadline of the wait that the call belongs to, or the length of the timer."""
    internal: bool = False
    """Whether a library made the call for its own purposes, such as Popen.send_signal."""
    key: str = ""
    """Which timer it is about (a mark `fired` names the one `timer` that it belongs to), or which test."""
    failed: bool | None = None
    """How a test ended; None when the runner did not say."""

    @property
    def file(self) -> str:
        """Return the innermost file of the program's own, or ''."""
        return self.stack[0][0] if self.stack else ""

    @property
    def line(self) -> int | None:
        """Return the line in `file`."""
        return self.stack[0][1] if self.stack else None

    @property
    def in_loop(self) -> bool:
        """Whether a frame of the stack is inside a loop that polls."""
        return any(in_polling_loop(file, line) for file, line in self.stack)


def parse_mark(path: str) -> Mark | None:
    """Return the mark in `path`; None when it is none, or not one that this version knows."""
    if not path.startswith(PREFIX):
        return None
    parts = path[len(PREFIX) :].split("/", 2)
    if len(parts) != 3:
        return None
    what, fields, frames = parts
    values = dict(field.partition("=")[::2] for field in fields.split(",") if field)
    try:
        timeout = float(values["timeout"]) if "timeout" in values else None
    except ValueError:
        timeout = None
    stack = []
    for frame in frames.split("|"):
        file, _, line = frame.rpartition(":")
        if file and line.isdigit():
            stack.append((unquote(file), int(line)))
    return Mark(
        what,
        tuple(stack),
        timeout,
        "internal" in values,
        unquote(values.get("id", "")),
        {"failed": True, "passed": False}.get(values.get("outcome", "")),
    )
