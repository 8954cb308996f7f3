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

    over: bool
    """Whether the runner has said its last word."""

    @property
    def shown(self) -> str | None:
        """The text of the last line without the format around it; None where it is the line itself."""

    def feed(self, line: str) -> Owner | None:
        """Take a line without prefix and colour; return whose it is, None when no test's."""

    def end(self) -> None:
        """Say that the output is over: settle owners and results that were open."""


class Format(Protocol):
    """A runner's output format."""

    name: str
    start: re.Pattern[str]
    """A line that begins such output, or can stand in no other."""
    weak: re.Pattern[str]
    """A line that other output may hold, too: it counts only where no other runner is being read."""

    def reader(self) -> Reader:
        """Return a reader for one run of the runner."""


NEVER = re.compile(r"(?!)")
"""Matches no line."""


class LineReader:
    """What readers of formats with one line a result have in common: results, the current owner, collected text."""

    LINES = 400
    """Lines kept of one failure's text."""

    shown: str | None = None
    over = False

    def __init__(self) -> None:
        self.results: list[LogResult] = []
        self.owner: Owner | None = None
        self._text: list[str] = []

    def begin(self, classname: str, name: str) -> Owner:
        """Say that lines from here on belong to this test."""
        self.owner = Owner((classname, name))
        self._text = []
        return self.owner

    def collect(self, line: str) -> Owner | None:
        """Keep a line as text of the current test; return whose it is."""
        if len(self._text) < self.LINES:
            self._text.append(line)
        return self.owner

    def add(
        self, classname: str, name: str, outcome: Outcome, seconds: str | float | None = None, *, suite: str = ""
    ) -> LogResult:
        """Add a result; `seconds` may be the log's text."""
        duration = float(seconds) if seconds not in (None, "") else None
        result = LogResult(suite, classname, name, outcome, duration)
        self.results.append(result)
        return result

    def take_text(self, result: LogResult) -> None:
        """Give the collected text to a failed result; its first line that is not empty is the message."""
        if result.outcome.is_bad and not result.detail:
            result.detail = "\n".join(self._text).strip("\n")
            result.message = result.message or next((line.strip() for line in self._text if line.strip()), "")
        self._text = []

    def end(self) -> None:
        """Nothing is open in most formats."""
