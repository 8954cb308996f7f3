"""Console output of GoogleTest."""

import re

from flakehunter.ingest.logs.format import NEVER, LineReader, Owner
from flakehunter.model import Outcome

_WORDS = {"OK": Outcome.PASSED, "FAILED": Outcome.FAILED, "SKIPPED": Outcome.SKIPPED}
_RUN = re.compile(r"(?:.*)\[ RUN +\] (?P<test>\S+)\s*$")
_RESULT = re.compile(r"(?:.*)\[ +(?P<word>OK|FAILED|SKIPPED) +\] (?P<test>\S+?)(?:, where .*)? \((?P<ms>\d+) ms\)\s*$")


class GoogleTestReader(LineReader):
    """Reads all iterations of one program."""

    def feed(self, line: str) -> Owner | None:
        """Take a line; return whose it is."""
        if "[" in line:
            found = _RUN.match(line)
            if found:
                return self.begin(*_split(found["test"]))
            found = _RESULT.match(line)
            if found:
                classname, name = _split(found["test"])
                seconds = int(found["ms"]) / 1000
                self.take_text(self.add(classname, name, _WORDS[found["word"]], seconds, suite=classname))
                self.owner = None
                return Owner((classname, name))
            if line.startswith(("[===", "[---")):
                self.owner = None
        return self.collect(line)


def _split(test: str) -> tuple[str, str]:
    """Split `Inst/P.Val/1` into `Inst/P` and `Val/1`, as GoogleTest's own XML does."""
    suite, _, name = test.partition(".")
    return suite, name


class GoogleTestFormat:
    """How GoogleTest's output is recognised."""

    name = "googletest"
    weak = NEVER
    start = re.compile(r"\[=+\] Running \d+ tests? from|.*\[ RUN +\] \S+\.\S+")

    def reader(self) -> GoogleTestReader:
        """Return a reader for one program."""
        return GoogleTestReader()
