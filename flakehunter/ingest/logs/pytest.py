"""Console output of pytest: verbose lines, xdist, the FAILURES and ERRORS sections, the short summary."""

import re

from flakehunter.ingest.identity import classname_of_node
from flakehunter.ingest.logs.format import NEVER, SOURCE, LogResult, Owner
from flakehunter.model import Outcome

_WORDS = {
    "PASSED": Outcome.PASSED,
    "FAILED": Outcome.FAILED,
    "ERROR": Outcome.ERRORED,
    "SKIPPED": Outcome.SKIPPED,
    "XFAIL": Outcome.SKIPPED,
    "XPASS": Outcome.PASSED,
    "RERUN": Outcome.FAILED,
}
_WORD = "|".join(_WORDS)
# Durations in brackets come from plugins, the reason in parentheses from `-ra`; the progress may be on a later line.
_AFTER = r"(?:(?: \[[\d.]+s\])?(?: \(.*\))?(?:\s+\[\s*\d+%\]))"
_NODE_START = re.compile(r"\S+?\.py::\S")
_VERBOSE = re.compile(rf"(?P<node>\S+?\.py::.*?) (?P<word>{_WORD}){_AFTER}?\s*$")
_BARE_WORD = re.compile(rf"(?:.*[^\w])?(?P<word>{_WORD})(?:{_AFTER}\s*|(?: \[[\d.]+s\])? \([^)]*)$")
_XDIST = re.compile(rf"\[gw\d+\](?: \[\s*\d+%\])? (?P<word>{_WORD}) (?P<node>\S+?\.py::.*?)\s*$")
_SUMMARY = re.compile(r"(?P<word>FAILED|ERROR) (?P<node>\S+?\.py(?:::.*?)?)(?: - (?P<message>.*))?$")
_RULE = re.compile(r"=+ (?P<title>.+?) =+$")
_HEADER = re.compile(
    r"_{3,} (?:(?P<kind>ERROR at setup of|ERROR at teardown of|ERROR collecting) )?(?P<name>.+?) _{3,}$"
)
_LOCATION = re.compile(r"(?P<file>[^\s:]+\.py):\d+: ?")
_COUNTS = re.compile(r"\d+ (?:passed|failed|errors?|skipped|xfailed|xpassed|deselected|rerun|warnings?)\b|no tests ran")


class _Section(Owner):
    """One test's part of FAILURES or ERRORS: its header names no file, so it is settled at the end."""

    def __init__(self, header: str) -> None:
        super().__init__(None)
        self.header = header
        self.file = ""
        self.lines: list[str] = []
        self.printed = False


class PytestReader:
    """Reads one pytest session."""

    shown: str | None = None
    over = False

    def __init__(self) -> None:
        self.results: list[LogResult] = []
        self._owner: Owner | None = None
        self._sections: list[_Section] = []
        self._part = "progress"
        self._nodes: dict[str, list[int]] = {}
        self._messages: dict[str, str] = {}
        self._has_workers = False

    def feed(self, line: str) -> Owner | None:
        """Take a line; return whose it is."""
        rule = _RULE.match(line) if line.startswith("=") else None
        if rule is not None:
            self._begin_part(rule["title"])
            return None
        if self._part in ("failures", "errors"):
            return self._feed_section(line)
        if self._part == "summary":
            return self._feed_summary(line)
        if self._part == "progress":
            return self._feed_progress(line)
        return None

    def _begin_part(self, title: str) -> None:
        titles = {"FAILURES": "failures", "ERRORS": "errors", "short test summary info": "summary"}
        self._owner = None
        if title in titles:
            self._part = titles[title]
        elif _COUNTS.search(title):
            self._part = "over"
            self.over = True
        else:
            self._part = "progress" if title == "test session starts" else "other"

    def _feed_progress(self, line: str) -> Owner | None:
        found = _XDIST.match(line)
        if found:
            self._has_workers = True
            return self._result(found["node"], found["word"])
        found = _VERBOSE.match(line)
        if found:
            owner = self._result(found["node"], found["word"])
            self._owner = None
            return owner
        if _NODE_START.match(line):
            # With workers such a line only says that a worker began; others write in between.
            if not self._has_workers:
                self._owner = _owner_of(_node_at_start(line))
            return self._owner
        if self._owner is not None:
            found = _BARE_WORD.match(line)
            if found and self._owner.test:
                owner = self._owner
                assert owner.test is not None
                self._add(owner.test, _WORDS[found["word"]], getattr(owner, "node", ""))
                self._owner = None
                return owner
        return self._owner

    def _feed_section(self, line: str) -> Owner | None:
        header = _HEADER.match(line) if line.startswith("_") else None
        if header is not None:
            section = _Section(header["name"])
            if header["kind"] == "ERROR collecting":
                section.test = classname_of_node(header["name"])
            self._sections.append(section)
            self._owner = section
            return section
        section = self._owner  # type: ignore[assignment]
        if isinstance(section, _Section):
            location = _LOCATION.match(line)
            if location is not None and not section.file:
                section.file = location["file"]
            if len(section.lines) < 2000:
                section.lines.append(line)
            section.printed = section.printed or (line.startswith("---") and "Captured" in line)
            if not section.printed and not line.startswith("E ") and location is None:
                return SOURCE
        return self._owner

    def _feed_summary(self, line: str) -> Owner | None:
        found = _SUMMARY.match(line)
        if found is None:
            return None
        node = found["node"]
        self._messages.setdefault(node, found["message"] or "")
        if node not in self._nodes:
            self._result(node, found["word"])
        return _owner_of(node)

    def _result(self, node: str, word: str) -> Owner:
        owner = _owner_of(node)
        assert owner.test is not None
        before = self._nodes.get(node)
        if word == "ERROR" and before:
            # The teardown of an attempt that has been counted: passed becomes errored, failed stays.
            last = self.results[before[-1]]
            if last.outcome is Outcome.PASSED:
                last.outcome = Outcome.ERRORED
            return owner
        self._add(owner.test, _WORDS[word], node)
        return owner

    def _add(self, test: tuple[str, str], outcome: Outcome, node: str) -> None:
        self._nodes.setdefault(node, []).append(len(self.results))
        file = node.partition("::")[0].replace("\\", "/")
        self.results.append(LogResult("pytest", test[0], test[1], outcome, None, file))

    def end(self) -> None:
        """Settle whose the sections are, and give failures their text."""
        by_header: dict[str, list[str]] = {}
        for node in self._nodes:
            by_header.setdefault(_header_of(node), []).append(node)
        for section in self._sections:
            nodes = by_header.get(section.header, [])
            if len(nodes) > 1 and section.file:
                nodes = [node for node in nodes if node.startswith(section.file)] or nodes
            if len(nodes) == 1:
                section.test = classname_of_node(nodes[0])
                self._give_text(nodes[0], section)
            elif section.file and section.test is None:
                section.test = classname_of_node(f"{section.file}::{section.header.replace('.', '::', 1)}")
        for node, message in self._messages.items():
            for place in self._nodes.get(node, [])[-1:]:
                self.results[place].message = self.results[place].message or message

    def _give_text(self, node: str, section: _Section) -> None:
        result = self.results[self._nodes[node][-1]]
        if result.outcome.is_bad and not result.detail:
            result.detail = "\n".join(section.lines).strip("\n")
            errors = [line[1:].strip() for line in section.lines if line.startswith("E  ")]
            result.message = errors[0] if errors else ""


class _NodeOwner(Owner):
    def __init__(self, node: str) -> None:
        super().__init__(classname_of_node(node))
        self.node = node


def _owner_of(node: str) -> Owner:
    return _NodeOwner(node)


def _node_at_start(line: str) -> str:
    """Return the node id that a line begins with: it ends at a space outside brackets."""
    depth = 0
    for place, character in enumerate(line):
        depth += (character == "[") - (character == "]")
        if character == " " and depth <= 0:
            return line[:place]
    return line


def _header_of(node: str) -> str:
    """Return what pytest writes above a test's failure: class and function, joined by dots."""
    path, bracket, parameters = node.partition("[")
    return ".".join(path.split("::")[1:]) + bracket + parameters


class PytestFormat:
    """How pytest's output is recognised."""

    name = "pytest"
    weak = NEVER
    start = re.compile(
        r"=+ test session starts =+|\S+\.py::\S.* (?:PASSED|FAILED|ERROR|SKIPPED)"
        r"(?: \[[\d.]+s\])?(?: \(.*\))?\s+\[\s*\d+%\]|=+ FAILURES =+$"
    )

    def reader(self) -> PytestReader:
        """Return a reader for one session."""
        return PytestReader()
