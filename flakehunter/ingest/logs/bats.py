"""Console output of bats: the pretty formatter."""

import re

from flakehunter.ingest.logs.format import NEVER, LineReader, Owner
from flakehunter.model import Outcome

_BATS = re.compile(r"(?:.* )?(?P<mark>[✓✗-]) (?P<name>\S.*?)(?: \(skipped(?:: .*)?\))?(?: \[\d+\])?$")


class BatsReader(LineReader):
    """Reads bats' pretty formatter, with its cursor movements taken out."""

    def __init__(self) -> None:
        super().__init__()
        self._file = ""

    def feed(self, line: str) -> Owner | None:
        """Take a line; return whose it is."""
        if re.match(r"\S+\.bats$", line):
            self._file, self.owner = line, None
            return None
        found = _BATS.match(line)
        if found and self._file:
            outcome = {"✓": Outcome.PASSED, "✗": Outcome.FAILED}.get(found["mark"], Outcome.SKIPPED)
            self.add(self._file, found["name"], outcome, suite=self._file).file = self._file
            return self.begin(self._file, found["name"])
        if self.results and self.results[-1].outcome.is_bad and line.startswith("   "):
            self.results[-1].message = self.results[-1].message or line.strip()
        return self.owner


class BatsFormat:
    """How bats' pretty formatter is recognised."""

    name = "bats"
    weak = NEVER
    start = re.compile(r"\S+\.bats$")

    def reader(self) -> BatsReader:
        """Return a reader for one run."""
        return BatsReader()
