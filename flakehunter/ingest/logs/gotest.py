"""Console output of `go test -v` and the stream of `go test -json`."""

import json
import re

from flakehunter.ingest.logs.format import NEVER, LineReader, LogResult, Owner
from flakehunter.model import Outcome

_WORDS = {"PASS": Outcome.PASSED, "FAIL": Outcome.FAILED, "SKIP": Outcome.SKIPPED}
_ACTIONS = {"pass": Outcome.PASSED, "fail": Outcome.FAILED, "skip": Outcome.SKIPPED}
_RUN = re.compile(r"=== (?:RUN|CONT|NAME)\s+(?P<name>\S+)\s*$")
# What a test prints without a line feed stands before its result; times were `(0.06 seconds)` before Go 1.6.
_RESULT = re.compile(r".*?--- (?P<word>PASS|FAIL|SKIP): (?P<name>\S+)(?: \((?P<time>[\d.]+) ?s(?:econds)?\))?\s*$")
_PACKAGE = re.compile(r"(?:ok|FAIL)\s+(?P<package>[\w./~@-]+)\s+(?:[\d.]+s\b|\(cached\)|\[.*\])")


class GoReader(LineReader):
    """Reads `go test -v`; the package of a test stands below its results."""

    def __init__(self) -> None:
        super().__init__()
        self._open: list[LogResult] = []
        self._texts: dict[str, list[str]] = {}
        self._owners: list[Owner] = []

    def feed(self, line: str) -> Owner | None:
        """Take a line; return whose it is."""
        if line.startswith("=== "):
            found = _RUN.match(line)
            if found:
                self._texts.setdefault(found["name"], [])
                self._owners.append(self.begin("", found["name"]))
            return self.owner
        if "--- " in line:
            found = _RESULT.match(line)
            if found:
                return self._result(found)
        if line.startswith(("ok", "FAIL")):
            found = _PACKAGE.match(line)
            if found:
                self._settle(found["package"])
                return None
        if self.owner is not None and self.owner.test is not None:
            text = self._texts.setdefault(self.owner.test[1], [])
            if len(text) < self.LINES:
                text.append(line)
        return self.owner

    def _result(self, found: re.Match[str]) -> Owner:
        name = found["name"]
        result = self.add("", name, _WORDS[found["word"]], found["time"])
        self._text = self._texts.get(name, [])
        self.take_text(result)
        self._open.append(result)
        self._owners.append(Owner(("", name)))
        return self._owners[-1]

    def _settle(self, package: str) -> None:
        for result in self._open:
            result.classname = result.suite = package
        for owner in self._owners:
            owner.test = (package, owner.test[1]) if owner.test else None
        self._open, self._owners, self._texts, self.owner = [], [], {}, None


class GoFormat:
    """How the output of `go test -v` is recognised."""

    name = "go"
    weak = NEVER
    start = re.compile(r"=== RUN\s+\S+\s*$|(?:.*\s)?--- (?:PASS|FAIL|SKIP): (?:Test|Benchmark|Example|Fuzz)\S*")

    def reader(self) -> GoReader:
        """Return a reader for the output."""
        return GoReader()


class GoJsonReader(LineReader):
    """Reads test2json events; lines that are none stand in between."""

    def feed(self, line: str) -> Owner | None:
        """Take a line; return whose it is."""
        self.shown = None
        if not line.startswith("{"):
            return None
        try:
            event = json.loads(line)
        except ValueError:
            return None
        if not isinstance(event, dict):
            return None
        action, test, package = event.get("Action"), event.get("Test"), event.get("Package") or ""
        output = event.get("Output")
        self.shown = output.rstrip("\n") if isinstance(output, str) else ""
        if not isinstance(test, str) or not isinstance(package, str):
            return None
        if action in _ACTIONS:
            elapsed = event.get("Elapsed")
            seconds = float(elapsed) if isinstance(elapsed, int | float) else None
            result = self.add(package, test, _ACTIONS[action], seconds, suite=package)
            self._text = self._texts.pop((package, test), [])
            self.take_text(result)
        elif self.shown:
            text = self._texts.setdefault((package, test), [])
            if len(text) < self.LINES:
                text.append(self.shown)
        return Owner((package, test))

    def __init__(self) -> None:
        super().__init__()
        self._texts: dict[tuple[str, str], list[str]] = {}


class GoJsonFormat:
    """How the stream of `go test -json` is recognised."""

    name = "go-json"
    weak = NEVER
    start = re.compile(r'\{(?:"Time":"[^"]+",)?"Action":"\w+"')

    def reader(self) -> GoJsonReader:
        """Return a reader for the stream."""
        return GoJsonReader()
