"""Console output of RSpec: the documentation formatter."""

import re

from flakehunter.ingest.logs.format import LineReader, Owner
from flakehunter.model import Outcome


class RspecReader(LineReader):
    """Reads RSpec's documentation formatter: what stands deeper than the line before it is an example."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: list[tuple[int, str]] = []
        self._over = False
        self._blank = True

    def feed(self, line: str) -> Owner | None:
        """Take a line; return whose it is."""
        if line.startswith(("Finished in", "Failures:", "Pending:", "Failed examples:")):
            self.end()
        blank, self._blank = self._blank, not line.strip()
        if self._over or not line.strip():
            return None
        if not blank and not line.startswith(" "):
            # Before a group at the top RSpec leaves a line empty: this is what a test printed.
            return None
        found = re.match(r"( *)(\S.*)$", line)
        if found:
            self._lines.append((len(found[1]), found[2]))
        return None

    def end(self) -> None:
        """Turn the tree into results: a line with deeper ones below it is a group."""
        groups: list[tuple[int, str]] = []
        for place, (indent, text) in enumerate(self._lines):
            groups = [(level, name) for level, name in groups if level < indent]
            deeper = place + 1 < len(self._lines) and self._lines[place + 1][0] > indent
            marked = re.match(r"(.*?) \((FAILED - \d+|ERROR - \d+|PENDING: .*)\)$", text)
            if deeper and not marked:
                groups.append((indent, text))
            elif indent:
                outcome = Outcome.PASSED
                if marked:
                    outcome = Outcome.SKIPPED if marked[2].startswith("PENDING") else Outcome.FAILED
                name = marked[1] if marked else text
                self.add(" ".join(group for _, group in groups), name, outcome)
        self._lines, self._over = [], True


class RspecFormat:
    """How RSpec's documentation formatter is recognised: it prints nothing before the first group."""

    name = "rspec"
    start = re.compile(r"Randomized with seed \d+$|Run options: (?:include|exclude) ")
    weak = re.compile(
        r"Failures:\s*$|Pending: \(Failures listed here|Finished in [\d.]+ (?:seconds|minutes?) .*\(files took"
    )

    def reader(self) -> RspecReader:
        """Return a reader for one run."""
        return RspecReader()
