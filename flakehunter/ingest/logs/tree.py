"""What reporters have in common that draw suites as an indented tree with a mark before each test."""

import re

from flakehunter.ingest.logs.format import LineReader, Owner
from flakehunter.model import Outcome

TIME = r"(?: \((?P<time>[\d.]+) ?(?P<unit>ms|s)\))?"


class TreeReader(LineReader):
    """Reads an indented tree: a line with a mark is a test, one without is the suite of what stands deeper."""

    MARKS: dict[str, Outcome]
    separator = " "

    def __init__(self) -> None:
        super().__init__()
        self.groups: list[tuple[int, str]] = []

    def path(self, indent: int) -> str:
        """Return the suites above what is indented by `indent`, joined."""
        self.groups = [(level, name) for level, name in self.groups if level < indent]
        return self.separator.join(name for _, name in self.groups)

    def enter(self, indent: int, name: str) -> None:
        """Note a suite."""
        self.path(indent)
        self.groups.append((indent, name))

    def test(self, indent: int, name: str, outcome: Outcome, found: re.Match[str], suite: str = "") -> Owner:
        """Note a test's result."""
        seconds = float(found["time"]) / (1000 if found["unit"] == "ms" else 1) if found["time"] else None
        classname = self.path(indent)
        self.add(classname, name, outcome, seconds, suite=suite)
        return self.begin(classname, name)
