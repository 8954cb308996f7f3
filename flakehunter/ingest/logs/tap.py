"""Test Anything Protocol: node:test, prove -v, mocha, ava, vitest, bats and whatever else writes it."""

import re

from flakehunter.ingest.logs.format import LineReader, Owner
from flakehunter.model import Outcome

_POINT = re.compile(
    r"(?P<indent> *)(?P<not>not )?ok(?: (?P<number>\d+))?(?: +-)?"
    r"(?: +(?P<name>(?:[^#\\]|\\.|(?<=\S)#(?! ?(?i:skip|todo|time)))*?))?"
    r"(?: *# ?(?P<directive>.*?))?(?P<opens> \{)?\s*$"
)
_FILE = re.compile(r"(?P<file>\S+\.t) \.+ *$")
_SUBTEST = re.compile(r"(?P<indent> *)# Subtest: (?P<name>.*)$")


class TapReader(LineReader):
    """Reads TAP with subtests, in both ways that they are nested: by indentation before, or in braces behind.

    A test point that has points below it is a suite, and no result of its own.
    """

    def __init__(self) -> None:
        super().__init__()
        self._file = ""
        self._groups: list[tuple[int, str]] = []
        self._points_below: dict[int, int] = {}
        self._yaml: int | None = None

    def feed(self, line: str) -> Owner | None:
        """Take a line; return whose it is."""
        if self._yaml is not None:
            if line.strip() == "...":
                self._close_yaml()
            return self.collect(line)
        if line.strip() == "---":
            self._yaml = len(self.results)
            self._text = []
            return self.owner
        file = _FILE.match(line)
        if file:
            self._file, self._groups, self._points_below, self.owner = file["file"], [], {}, None
            return None
        if line.startswith("Dubious, test returned") and self._file:
            if not any(result.classname.startswith(self._file) for result in self.results):
                self.add("", self._file, Outcome.FAILED).message = line
            return Owner(("", self._file))
        if line.strip() == "}":
            if self._groups:
                self._groups.pop()
            return None
        subtest = _SUBTEST.match(line)
        if subtest:
            indent = len(subtest["indent"])
            # prove writes the comment inside of the subtest's own level, node:test outside.
            self._groups = [(level, name) for level, name in self._groups if level < indent]
            self._groups.append((indent, subtest["name"]))
            return None
        point = _POINT.match(line)
        if point and (point["number"] or point["name"]):
            return self._point(point)
        return self.collect(line)

    def _point(self, point: re.Match[str]) -> Owner:
        indent = len(point["indent"])
        name = re.sub(r"\\(.)", r"\1", (point["name"] or "").strip()) or (point["number"] or "")
        directive = point["directive"] or ""
        if point["opens"]:
            self._groups.append((indent, name))
            return self.begin(self._file, name)
        below = sum(count for level, count in self._points_below.items() if level > indent)
        self._points_below = {level: count for level, count in self._points_below.items() if level <= indent}
        self._groups = [(level, group) for level, group in self._groups if level < indent]
        self._points_below[indent] = self._points_below.get(indent, 0) + 1
        classname = " > ".join([self._file, *(group for _, group in self._groups)]).removeprefix(" > ")
        owner = self.begin(classname, name)
        if below:
            return owner
        self.add(classname, name, _outcome(bool(point["not"]), directive), _time(directive))
        return owner

    def _close_yaml(self) -> None:
        if self.results and self._yaml == len(self.results):
            self.take_text(self.results[-1])
        self._yaml = None


def _outcome(failed: bool, directive: str) -> Outcome:
    word = directive.strip().lower()
    if word.startswith(("skip", "todo")):
        return Outcome.SKIPPED
    return Outcome.FAILED if failed else Outcome.PASSED


def _time(directive: str) -> float | None:
    found = re.search(r"time=([\d.]+)ms", directive)
    return float(found[1]) / 1000 if found else None


class TapFormat:
    """How TAP is recognised."""

    name = "tap"
    start = re.compile(r"TAP version 1[34]\s*$|\S+\.t \.+ *$")
    weak = re.compile(r"1\.\.\d+(?: *#.*)?\s*$|(?:not )?ok 1(?:\s|$)")

    def reader(self) -> TapReader:
        """Return a reader for the stream."""
        return TapReader()
