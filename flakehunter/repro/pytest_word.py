"""Where in a command line pytest is named."""

import itertools
from collections.abc import Sequence
from pathlib import Path

__all__ = ["pytest_word"]


def pytest_word(argv: Sequence[str]) -> int | None:
    """Return where in `argv` pytest is named (`pytest …` or `python … -m pytest …`), or None."""
    program = Path(argv[0]).name.lower().removesuffix(".exe") if argv else ""
    if program in ("pytest", "py.test"):
        return 0
    for place, (first, second) in enumerate(itertools.pairwise(argv)):
        if first == "-m":  # `py` is the launcher of Windows
            return place + 1 if second == "pytest" and (program.startswith("python") or program == "py") else None
    return None
