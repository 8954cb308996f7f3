"""Console output of Gradle: test logging."""

import re

from flakehunter.ingest.logs.format import LineReader, Owner
from flakehunter.model import Outcome

_GRADLE = re.compile(r"(?P<class>\S.*?) > (?P<name>\S.*?) (?P<word>PASSED|FAILED|SKIPPED)(?: \((?P<time>[\d.]+)s\))?$")


class GradleReader(LineReader):
    """Reads Gradle's test logging; by default it names failures only."""

    def feed(self, line: str) -> Owner | None:
        """Take a line; return whose it is."""
        found = _GRADLE.match(line)
        if found:
            self._finish()
            outcome = {"PASSED": Outcome.PASSED, "FAILED": Outcome.FAILED}.get(found["word"], Outcome.SKIPPED)
            classname, _, name = f"{found['class']} > {found['name']}".rpartition(" > ")
            self.add(classname, name, outcome, found["time"])
            return self.begin(classname, name)
        if line and not line.startswith(" "):
            self._finish()
            self.owner = None
        return self.collect(line)

    def _finish(self) -> None:
        if self.results and self.owner is not None:
            self.take_text(self.results[-1])

    def end(self) -> None:
        """Close the last failure."""
        self._finish()


class GradleFormat:
    """How Gradle's test output is recognised."""

    name = "gradle"
    start = re.compile(r"> Task :\S*[tT]est\S*\s*$|:(?:\S+:)?(?:test|integrationTest|check)\s*$")
    weak = re.compile(r"\S.* > \S.* (?:PASSED|FAILED|SKIPPED)$")

    def reader(self) -> GradleReader:
        """Return a reader for one build."""
        return GradleReader()
