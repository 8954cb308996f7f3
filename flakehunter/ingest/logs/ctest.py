"""Console output of CTest."""

import re

from flakehunter.ingest.logs.format import NEVER, LineReader, Owner
from flakehunter.model import Outcome

_RESULT = re.compile(
    r"\s*(?:\d+/\d+ )?Test +#\d+: (?P<name>.+?) \.{2,} *(?:\*{3})?"
    r"(?P<word>Passed|Failed|Skipped|Timeout|Not Run[^\d]*"
    r"|Exception: ?\S*|Child aborted|Subprocess \w+|Bad Command|Required regular expression[^\d]*)"
    r"\s*(?P<time>[\d.]+)? ?(?:sec)?"
)
_START = re.compile(r"\s*Start +\d+: (?P<name>.+?)\s*$")


class CTestReader(LineReader):
    """Reads one run of CTest; `--repeat` makes several results of one test."""

    def feed(self, line: str) -> Owner | None:
        """Take a line; return whose it is."""
        found = _RESULT.match(line)
        if found:
            name, word = found["name"], found["word"]
            result = self.add(name, name, _outcome(word), found["time"])
            if result.outcome.is_bad:
                result.message = word.strip()
            self.owner = Owner((name, name))
            return self.owner
        start = _START.match(line)
        if start:
            return self.begin(start["name"], start["name"])
        if "tests passed," in line:
            self.owner = None
        return self.owner


def _outcome(word: str) -> Outcome:
    if word.startswith("Passed"):
        return Outcome.PASSED
    if word.startswith("Skipped") or "Disabled" in word:
        return Outcome.SKIPPED
    return Outcome.FAILED


class CTestFormat:
    """How CTest's output is recognised."""

    name = "ctest"
    weak = NEVER
    start = re.compile(r"Test project [/A-Za-z]\S*\s*$|\s*\d+/\d+ Test +#\d+: ")

    def reader(self) -> CTestReader:
        """Return a reader for one run."""
        return CTestReader()
