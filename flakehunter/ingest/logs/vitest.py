"""Console output of vitest: the default and verbose reporters, captured output, the list of failures."""

import re

from flakehunter.ingest.logs.format import NEVER, SOURCE, LogResult, Owner
from flakehunter.model import Outcome

_FILE = r"(?P<file>\S[^>]*?\.[cm]?[jt]sx?)"
_PROJECT = r"(?:\|[^|]+\| |\[[^\]]+\] )?"
_MARKS = {"✓": Outcome.PASSED, "×": Outcome.FAILED, "❌": Outcome.FAILED, "↓": Outcome.SKIPPED, "□": Outcome.SKIPPED}
_TAIL = r"(?P<tail>(?: \d+(?:\.\d+)?m?s| \(retry x\d+\)| \(repeat x\d+\)| \[.*\])*)"
_OUTPUT = re.compile(rf"(?:stdout|stderr) \| {_PROJECT}{_FILE}(?: > (?P<name>.+))?$")
_FAIL = re.compile(rf"\s*FAIL  {_PROJECT}{_FILE}(?: > (?P<name>.+?))?(?: \[ .* \])?$")
_CASE = re.compile(rf"\s*(?P<mark>[✓×❌↓□]) {_PROJECT}{_FILE} > (?P<name>.+?){_TAIL}$")
_TREE_FILE = re.compile(rf" (?P<mark>[✓❯×↓]) {_PROJECT}{_FILE} \(\d+ tests?.*\).*$")
_TREE_CASE = re.compile(rf" {{3}}(?P<mark>[✓×↓□]) (?P<name>.+?){_TAIL}$")
_SOURCE = re.compile(r"\s*(?:\d+ ?)?\|")
_RULE = re.compile(r"⎯{3,}")


class VitestReader:
    """Reads one vitest run."""

    shown: str | None = None
    over = False

    def __init__(self) -> None:
        self.results: list[LogResult] = []
        self._owner: Owner | None = None
        self._failure: list[str] | None = None
        self._failed: list[LogResult] = []
        self._last_of: dict[tuple[str, str], list[int]] = {}
        self._file = ""

    def feed(self, line: str) -> Owner | None:
        """Take a line; return whose it is."""
        output = _OUTPUT.match(line)
        if output:
            self._owner = _owner(output)
            return self._owner
        fail = _FAIL.match(line) if "FAIL  " in line else None
        if fail:
            return self._begin_failure(fail)
        if _RULE.search(line):
            self._end_failure()
            self._owner = None
            return None
        case = _CASE.match(line)
        if case and self._failure is None:
            self._file = ""
            self._case(case["file"], case)
            self._owner = Owner((case["file"], case["name"]))
            return self._owner
        tree = _TREE_FILE.match(line)
        if tree and self._failure is None:
            self._file, self._owner = tree["file"], None
            return None
        leaf = _TREE_CASE.match(line) if self._file and self._failure is None else None
        if leaf:
            self._owner = Owner((self._file, leaf["name"]))
            self._case(self._file, leaf)
            return self._owner
        if line.lstrip().startswith(("Test Files ", "RUN ")):
            self._owner, self._file = None, ""
            return None
        if self._failure is not None and len(self._failure) < 500:
            self._failure.append(line)
            if _SOURCE.match(line):
                return SOURCE
        return self._owner

    def _case(self, file: str, found: re.Match[str]) -> None:
        """Count the attempts of a test: `(retry x2)` says that two tries failed before the last."""
        outcome = _MARKS[found["mark"]]
        tail = found["tail"]
        retries = re.search(r"\(retry x(\d+)\)", tail)
        duration = re.search(r" (\d+(?:\.\d+)?)(ms|s)", tail)
        seconds = float(duration[1]) / (1000 if duration[2] == "ms" else 1) if duration else None
        for _ in range(min(int(retries[1]), 100) if retries else 0):
            self._add(file, found["name"], Outcome.FAILED, None)
        self._add(file, found["name"], outcome, seconds)

    def _add(self, file: str, name: str, outcome: Outcome, seconds: float | None) -> LogResult:
        self._last_of.setdefault((file, name), []).append(len(self.results))
        self.results.append(LogResult(file, file, name, outcome, seconds, file))
        return self.results[-1]

    def _begin_failure(self, found: re.Match[str]) -> Owner | None:
        if self._failure:
            self._end_failure()
        self._owner = _owner(found)
        file, name = found["file"], found["name"] or found["file"]
        places = self._last_of.get((file, name))
        if places is None:
            # The default reporter's tree leaves the groups out; only here stands the full name.
            self._drop_leaf(file, name)
            self._failed.append(self._add(file, name, Outcome.FAILED, None))
        else:
            self._failed.append(self.results[places[-1]])
        self._failure = self._failure if self._failure is not None else []
        return self._owner

    def _drop_leaf(self, file: str, name: str) -> None:
        leaf = name.rpartition(" > ")[2]
        for place in self._last_of.get((file, leaf), []):
            if self.results[place].outcome is Outcome.FAILED and leaf != name:
                self.results[place].name = ""

    def _end_failure(self) -> None:
        lines = self._failure or []
        message = next((line.strip() for line in lines if line.strip()), "")
        for result in self._failed:
            if not result.message:
                result.message, result.detail = message, "\n".join(lines).strip("\n")
        self._failed, self._failure = [], None

    def end(self) -> None:
        """Close the last failure."""
        self._end_failure()
        self.results = [result for result in self.results if result.name]


def _owner(found: re.Match[str]) -> Owner | None:
    return Owner((found["file"], found["name"])) if found["name"] else None


class VitestFormat:
    """How vitest's output is recognised."""

    name = "vitest"
    weak = NEVER
    start = re.compile(r"\s*RUN\s+v\d+\.\d+\.\d+\S* \S|⎯{3,} Failed (?:Tests|Suites) \d+ ⎯{3,}")

    def reader(self) -> VitestReader:
        """Return a reader for one run."""
        return VitestReader()
