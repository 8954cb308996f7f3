"""Console output of Catch2."""

import re

from flakehunter.ingest.logs.format import NEVER, LineReader, Owner
from flakehunter.model import Outcome


class CatchReader(LineReader):
    """Reads Catch2's console reporter, which names failed test cases and sections only."""

    def __init__(self) -> None:
        super().__init__()
        self._rules = 0
        self._title: list[str] = []

    def feed(self, line: str) -> Owner | None:
        """Take a line; return whose it is."""
        if re.match(r"-{60,}$", line):
            self._rules = 1 if self._rules != 1 else 2
            if self._rules == 1:
                self._title = []
            return self.owner
        if self._rules == 1:
            self._title.append(line.strip())
            return self.owner
        failed = re.match(r"\S+?(?::\d+|\(\d+\)): (?:FAILED|ERROR|error)", line)
        if failed and self._title:
            name = "/".join(self._title)
            if not self.results or self.results[-1].name != name:
                self.add("", name, Outcome.FAILED)
            return self.begin("", name)
        if line.startswith("====="):
            self.owner = None
        expected = re.search(r"\| (\d+) failed as expected", line)
        if line.startswith("test cases:") and expected:
            # Which ones may fail is not told; the last ones named are what is left over.
            counted = re.search(r"\| (\d+) failed(?! as)", line)
            del self.results[int(counted[1]) if counted else 0 :]
        return self.owner


class CatchFormat:
    """How Catch2's console reporter is recognised."""

    name = "catch2"
    weak = NEVER
    start = re.compile(r"\S+ is a Catch2? v\S+ host application")

    def reader(self) -> CatchReader:
        """Return a reader for one program."""
        return CatchReader()
