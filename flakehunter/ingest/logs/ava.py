"""Console output of ava: the default reporter."""

import re

from flakehunter.ingest.logs.format import NEVER, LineReader, Owner
from flakehunter.model import Outcome

_AVA = re.compile(
    r" +(?:(?P<mark>[✔✘✖]) )?(?:- )?(?:\[(?P<word>fail|skip|todo|expected fail)\]:? )?(?P<name>\S.*?)"
    r"(?: \((?P<time>[\d.]+)(?P<unit>m?s)\))?$"
)


class AvaReader(LineReader):
    """Reads ava's default reporter."""

    def __init__(self) -> None:
        super().__init__()
        self._over = False

    def feed(self, line: str) -> Owner | None:
        """Take a line; return whose it is."""
        if line.strip() == "─":
            self._over = True
        found = _AVA.match(line) if not self._over else None
        if found and (found["mark"] or found["word"]):
            outcome = Outcome.PASSED if found["mark"] == "✔" else Outcome.FAILED
            if found["word"] in ("skip", "todo"):
                outcome = Outcome.SKIPPED
            self.add("", found["name"], outcome)
            return self.begin("", found["name"])
        return self.owner


class AvaFormat:
    """How ava's default reporter is recognised."""

    name = "ava"
    start = NEVER
    weak = re.compile(r"  - \[(?:skip|todo)\] |  ✘ \[fail\]: |  ✔ \[expected fail\] ")

    def reader(self) -> AvaReader:
        """Return a reader for one run."""
        return AvaReader()
