"""Console output of PHPUnit: --testdox."""

import re

from flakehunter.ingest.logs.format import NEVER, Owner
from flakehunter.ingest.logs.tree import TreeReader
from flakehunter.model import Outcome

_TESTDOX = re.compile(r" (?P<mark>[✔✘↩∅☢⚠]) (?P<name>\S.*?)(?P<time>)(?P<unit>)$")


class PhpunitReader(TreeReader):
    """Reads PHPUnit's --testdox."""

    def __init__(self) -> None:
        super().__init__()
        self._over = False
        self._class = ""

    def feed(self, line: str) -> Owner | None:
        """Take a line; return whose it is."""
        if line.startswith(("Time: ", "Summary of")):
            self._over = True
        if self._over:
            return None
        found = _TESTDOX.match(line)
        if found:
            marks = {"✔": Outcome.PASSED, "✘": Outcome.FAILED, "☢": Outcome.PASSED, "⚠": Outcome.PASSED}
            self.add(self._class, found["name"], marks.get(found["mark"], Outcome.SKIPPED), suite=self._class)
            return self.begin(self._class, found["name"])
        if re.match(r"\S", line):
            self._class, self.owner = line.partition(" (")[0].strip(), None
            return None
        return self._detail(line)

    def _detail(self, line: str) -> Owner | None:
        text = line.strip().removeprefix("│").strip()
        if self.owner is not None and self.results and text and self.results[-1].outcome.is_bad:
            result = self.results[-1]
            if not result.message and not result.detail and re.match(r"[\w\\]*(?:Exception|Error)\b", text):
                # An exception that is no failed assertion is an error in PHPUnit's own count.
                result.outcome = Outcome.ERRORED
            result.message = result.message or text
            result.detail += text + "\n"
        return self.owner


class PhpunitFormat:
    """How PHPUnit's testdox is recognised."""

    name = "phpunit"
    weak = NEVER
    start = re.compile(r"PHPUnit \d+\.\d+\S* by Sebastian Bergmann")

    def reader(self) -> PhpunitReader:
        """Return a reader for one run."""
        return PhpunitReader()
