"""The one interface of all log formats."""

import re
from dataclasses import dataclass
from typing import Protocol

from flakehunter.model import Outcome


@dataclass(slots=True)
class Owner:
    """The test that lines belong to; which one it is may turn out only further down in the log."""

    test: tuple[str, str] | None = None
    """classname and name, as the framework's JUnit XML writes them."""


SOURCE = Owner()
"""What a reader returns for a line of source code that a runner quotes: nobody printed it, so it is no event."""


@dataclass(slots=True)
class LogResult:
    """One attempt of a test as a log tells it."""

    suite: str
    classname: str
    name: str
    outcome: Outcome
    duration_s: float | None = None
    file: str = ""
    message: str = ""
    detail: str = ""


class Reader(Protocol):
    """Reads the lines of one runner's output, in order."""

    results: list[LogResult]

    def feed(self, line: str) -> Owner | None:
        """Take a line without prefix and colour; return whose it is, None when no test's."""

    def end(self) -> None:
        """Say that the output is over: settle owners and results that were open."""


class Format(Protocol):
    """A runner's output format."""

    name: str
    start: re.Pattern[str]
    """A line that begins such output, or can stand in no other."""

    def reader(self) -> Reader:
        """Return a reader for one run of the runner."""
