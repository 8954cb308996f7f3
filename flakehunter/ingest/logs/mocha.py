"""Console output of mocha: the spec reporter."""

import re

from flakehunter.ingest.logs.format import Owner
from flakehunter.ingest.logs.tree import TIME, TreeReader
from flakehunter.model import Outcome

_MOCHA = re.compile(rf"(?P<indent> {{2,}})(?P<mark>[✔✓]|\d+\)|-) (?P<name>\S.*?){TIME}$")


class MochaReader(TreeReader):
    """Reads mocha's spec reporter."""

    def __init__(self) -> None:
        super().__init__()
        self._over = False

    def feed(self, line: str) -> Owner | None:
        """Take a line; return whose it is."""
        if re.match(r"  \d+ (?:passing|failing|pending)\b", line):
            self._over = True
            self.owner = None
        if self._over:
            return None
        found = _MOCHA.match(line)
        if found:
            mark = found["mark"]
            outcome = Outcome.SKIPPED if mark == "-" else Outcome.FAILED if mark.endswith(")") else Outcome.PASSED
            return self.test(len(found["indent"]), found["name"], outcome, found)
        suite = re.match(r"( {2,})(\S.*)$", line)
        if suite:
            self.enter(len(suite[1]), suite[2])
            self.owner = None
        return self.owner


class MochaFormat:
    """How mocha's spec reporter is recognised."""

    name = "mocha"
    start = re.compile(r"> mocha\b")
    weak = re.compile(r" {2,}(?:[✔✓] \S|1\) \S)")

    def reader(self) -> MochaReader:
        """Return a reader for one run."""
        return MochaReader()
