"""Console output of jest: with `--verbose` every test has a name, without it only failures have."""

import re

from flakehunter.ingest.logs.format import NEVER, Owner
from flakehunter.ingest.logs.tree import TIME, TreeReader
from flakehunter.model import Outcome

_JEST_FILE = re.compile(rf"(?P<word>PASS|FAIL) +(?:\S+ )?(?P<file>\S+\.[cm]?[jt]sx?){TIME}")
_JEST_CASE = re.compile(rf"(?P<indent> {{2,}})(?P<mark>[✓✔✕×○✎]) (?P<kind>skipped |todo )?(?P<name>\S.*?){TIME}$")
_JEST_BULLET = re.compile(r"  ● (?P<name>.+)$")
_JEST_MARKS = {"✓": Outcome.PASSED, "✔": Outcome.PASSED, "○": Outcome.SKIPPED, "✎": Outcome.SKIPPED}


class JestReader(TreeReader):
    """Reads jest: `--verbose` names every test, without it only failures have names.

    Class name and name are both the full title, as jest-junit writes them.
    """

    def __init__(self) -> None:
        super().__init__()
        self._file = ""
        self._summary = False
        self._told: set[tuple[str, str]] = set()
        self._bullet = -1

    def feed(self, line: str) -> Owner | None:
        """Take a line; return whose it is."""
        file = _JEST_FILE.match(line)
        if file:
            self._file, self.groups, self.owner, self._bullet = file["file"], [], None, -1
            return None
        if line.startswith(("Summary of all failing tests", "Test Suites:")):
            self._summary, self.owner = line.startswith("Summary"), None
            return None
        bullet = _JEST_BULLET.match(line)
        if bullet:
            return self._failure(bullet["name"])
        case = _JEST_CASE.match(line)
        if case and self._bullet < 0:
            title = f"{self.path(len(case['indent']))} {case['name']}".strip()
            outcome = _JEST_MARKS.get(case["mark"], Outcome.FAILED)
            return self._case(title, outcome, case)
        suite = re.match(r"( {2,})(\S.*)$", line)
        if suite and self._bullet < 0:
            self.enter(len(suite[1]), suite[2])
        return self.collect(line)

    def _case(self, title: str, outcome: Outcome, found: re.Match[str]) -> Owner:
        seconds = float(found["time"]) / (1000 if found["unit"] == "ms" else 1) if found["time"] else None
        self.add(title, title, outcome, seconds, suite=self._file).file = self._file
        self._told.add((self._file, title))
        return self.begin(title, title)

    def _failure(self, name: str) -> Owner:
        title = name.replace(" › ", " ")
        if name == "Test suite failed to run":
            title = self._file
        owner = self.begin(title, title)
        if (self._file, title) not in self._told and not self._summary and name != "Console":
            self._told.add((self._file, title))
            outcome = Outcome.ERRORED if title == self._file else Outcome.FAILED
            self.add(title, title, outcome, suite=self._file).file = self._file
        self._bullet = next(
            (place for place in range(len(self.results) - 1, -1, -1) if self.results[place].name == title), -1
        )
        return owner

    def collect(self, line: str) -> Owner | None:
        """Keep the text below a bullet for its failure."""
        if self._bullet >= 0:
            result = self.results[self._bullet]
            if line.strip() and not result.message:
                result.message = line.strip()
            if len(result.detail) < 50_000:
                result.detail += line + "\n"
        return self.owner


class JestFormat:
    """How jest's output is recognised."""

    name = "jest"
    weak = NEVER
    start = re.compile(r"(?:PASS|FAIL) +(?:\S+ )?\S+\.[cm]?[jt]sx?(?: \([\d.]+ m?s\))?\s*$")

    def reader(self) -> JestReader:
        """Return a reader for one run."""
        return JestReader()
