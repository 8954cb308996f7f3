"""Where output goes: data on stdout, everything else on stderr; colour, quiet and verbose are decided here."""

import os
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console

_quiet = False
_verbose = 0
_color: bool | None = None


def configure(*, quiet: bool = False, verbose: int = 0, color: bool | None = None) -> None:
    """Set what the command line asked for; `color=None` leaves it to NO_COLOR, FORCE_COLOR and the terminal."""
    global _quiet, _verbose, _color
    _quiet, _verbose, _color = quiet, verbose, color


def use_color(stream: TextIO) -> bool:
    """Whether to colour `stream`: flag, then NO_COLOR, then FORCE_COLOR, then whether it is a terminal."""
    if _color is not None:
        return _color
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return stream.isatty()


def _console(stream: TextIO) -> "Console":
    from rich.console import Console  # 30 ms: only where something is drawn

    color = use_color(stream)
    # A pipe has no width: tables for grep and less must not be folded at 80 columns.
    width = None if stream.isatty() or "COLUMNS" in os.environ else 200
    return Console(
        file=stream,
        force_terminal=color,
        no_color=not color,
        highlight=False,
        width=width,
        soft_wrap=not stream.isatty(),
    )


def out() -> "Console":
    """Return the console for data (stdout)."""
    return _console(sys.stdout)


def err() -> "Console":
    """Return the console for progress and diagnostics (stderr)."""
    return _console(sys.stderr)


def write(text: str) -> None:
    """Write `text` and a line feed to stdout exactly as it is: for JSON and other machine formats."""
    sys.stdout.write(text + "\n")


def say(text: str) -> None:
    """Tell the user something on stderr, unless `-q` was given."""
    if not _quiet:
        print(text, file=sys.stderr, flush=True)


def warn(text: str) -> None:
    """Tell the user of something wrong on stderr; `-q` does not silence it."""
    print(f"flakehunter: warning: {text}", file=sys.stderr, flush=True)


def detail(text: str) -> None:
    """Tell the user something on stderr that only `-v` wants."""
    if _verbose:
        print(text, file=sys.stderr, flush=True)


def shows_progress() -> bool:
    """Whether a progress bar is wanted: stderr is a terminal and `-q` was not given."""
    return sys.stderr.isatty() and not _quiet


def plural(count: int, one: str, many: str = "") -> str:
    """Return a count with its noun: "1 run", "2 runs"."""
    return f"{count} {one if count == 1 else many or one + 's'}"
