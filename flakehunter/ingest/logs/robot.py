"""Console output of Robot Framework."""

import re

from flakehunter.ingest.logs.format import NEVER, LineReader, Owner
from flakehunter.model import Outcome

_ROBOT = re.compile(r"(?P<name>\S.*?) +\| (?P<word>PASS|FAIL|SKIP) \|$")


class RobotReader(LineReader):
    """Reads Robot Framework's console; a suite's own line comes after a rule and before its counts."""

    def __init__(self) -> None:
        super().__init__()
        self._suite = ""
        self._suites: set[str] = set()
        self._rule = False

    def feed(self, line: str) -> Owner | None:
        """Take a line; return whose it is."""
        if line.startswith("====="):
            self._rule = True
            return None
        rule, self._rule = self._rule, False
        found = _ROBOT.match(line)
        if found and found["name"] in self._suites:
            self.owner = None
            return None
        if found:
            outcome = {"PASS": Outcome.PASSED, "FAIL": Outcome.FAILED}.get(found["word"], Outcome.SKIPPED)
            self.add(self._suite, found["name"], outcome, suite=self._suite)
            return self.begin(self._suite, found["name"])
        if rule and line.strip() and not found:
            name = line.partition(" :: ")[0].strip()
            if not re.match(r"\w+: +\S", line):
                self._suite = name
                self._suites.add(name)
        elif self.results and self.owner is not None and line.strip() and not line.startswith("-----"):
            result = self.results[-1]
            result.message = result.message or (line.strip() if result.outcome.is_bad else "")
        return self.owner


class RobotFormat:
    """How Robot Framework's console is recognised."""

    name = "robot"
    start = NEVER
    weak = re.compile(r"\S.*? +\| (?:PASS|FAIL|SKIP) \|$")

    def reader(self) -> RobotReader:
        """Return a reader for one run."""
        return RobotReader()
