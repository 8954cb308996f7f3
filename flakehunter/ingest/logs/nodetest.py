"""Console output of node:test: the spec reporter."""

import re

from flakehunter.ingest.logs.format import NEVER, Owner
from flakehunter.ingest.logs.tree import TreeReader
from flakehunter.model import Outcome

_NODE = re.compile(
    r"(?P<indent> *)(?P<mark>[✔✖﹣▶⚠]) (?P<name>.+?)(?: \((?P<time>[\d.]+)(?P<unit>ms)\))?(?: # (?P<note>.*))?$"
)


class NodeReader(TreeReader):
    """Reads node:test's spec reporter; a suite's mark comes after its tests and is no result."""

    separator = " > "

    def __init__(self) -> None:
        super().__init__()
        self._suites: list[tuple[int, str]] = []
        self._over = False

    def feed(self, line: str) -> Owner | None:
        """Take a line; return whose it is."""
        if line.startswith("✖ failing tests:"):
            self._over = True
        found = _NODE.match(line) if not self._over else None
        if found is None:
            return None if line.startswith("ℹ ") or self._over else self.collect(line)
        indent, name, mark = len(found["indent"]), found["name"], found["mark"]
        if mark == "▶":
            self.enter(indent, name)
            return None
        if self.groups and (indent, name) in self.groups:
            self.groups = [(level, group) for level, group in self.groups if level < indent]
            return None
        note = (found["note"] or "").upper()
        outcome = {"✔": Outcome.PASSED, "﹣": Outcome.SKIPPED}.get(mark, Outcome.FAILED)
        if note.startswith(("TODO", "SKIP")):
            outcome = Outcome.SKIPPED
        return self.test(indent, name, outcome, found)


class NodeFormat:
    """How node:test's spec reporter is recognised."""

    name = "node:test"
    start = NEVER
    weak = re.compile(r"(?:✔|✖|﹣) \S.* \([\d.]+ms\)|▶ \S")

    def reader(self) -> NodeReader:
        """Return a reader for one run."""
        return NodeReader()
