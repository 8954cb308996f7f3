"""Console output of Maven Surefire and Failsafe."""

import re

from flakehunter.ingest.logs.format import NEVER, LineReader, Owner
from flakehunter.model import Outcome

_SUREFIRE = re.compile(
    r"(?:\[\w+\] )?(?P<name>[^\s(]\S*?(?:\[.*\])?)\((?P<class>[\w.$]+)\)  ?Time elapsed: (?P<time>[\d.]+) s(?:ec)?"
    r" +<<< (?P<word>FAILURE|ERROR)!"
)
_SUREFIRE_3 = re.compile(
    r"(?:\[\w+\] )?(?P<class>[\w.$]+)\.(?P<name>[\w$]+(?:\[.*\]|\(.*\))?) -- "
    r"Time elapsed: (?P<time>[\d.]+) s <<< (?P<word>FAILURE|ERROR)!"
)


class SurefireReader(LineReader):
    """Reads Maven Surefire's console output; it names failures only."""

    def feed(self, line: str) -> Owner | None:
        """Take a line; return whose it is."""
        found = _SUREFIRE.match(line) or _SUREFIRE_3.match(line)
        if found:
            outcome = Outcome.FAILED if found["word"] == "FAILURE" else Outcome.ERRORED
            self.add(found["class"], found["name"], outcome, found["time"], suite=found["class"])
            return self.begin(found["class"], found["name"])
        if re.match(r"(?:\[\w+\] )?(?:Tests run:|Running |Results)", line):
            if self.results and self.owner is not None:
                self.take_text(self.results[-1])
            self.owner = None
        return self.collect(line)


class SurefireFormat:
    """How Surefire's output is recognised."""

    name = "surefire"
    weak = NEVER
    start = re.compile(r"(?:\[\w+\] )? ?T E S T S\s*$")

    def reader(self) -> SurefireReader:
        """Return a reader for one module."""
        return SurefireReader()
