"""Console output of behave."""

import re

from flakehunter.ingest.logs.format import NEVER, LineReader, Owner
from flakehunter.model import Outcome


class BehaveReader(LineReader):
    """Reads behave's plain and pretty formatters: a scenario's steps decide, its summary names what failed."""

    def __init__(self) -> None:
        super().__init__()
        self._feature = ""
        self._skips = False
        self._summary: Outcome | None = None

    def feed(self, line: str) -> Owner | None:
        """Take a line; return whose it is."""
        feature = re.match(r"Feature: (.*?)(?: +# .*)?$", line)
        if feature:
            self._feature = feature[1]
        if line.startswith(("Failing scenarios:", "Errored scenarios:")):
            self._summary = Outcome.FAILED if line.startswith("Failing") else Outcome.ERRORED
            return None
        if self._summary is not None:
            named = re.match(r"  \S+:\d+ +(.+)$", line)
            for result in self.results:
                if named and result.name == named[1]:
                    result.outcome = self._summary
            return None
        if line.strip().startswith("@"):
            self._skips = "@skip" in line.split()
        scenario = re.match(r" +Scenario(?: Outline)?: (.*?)(?: +# .*)?$", line)
        if scenario:
            outcome = Outcome.SKIPPED if self._skips else Outcome.PASSED
            self.add(self._feature, scenario[1], outcome, suite=self._feature)
            self._skips = False
            return self.begin(self._feature, scenario[1])
        return self.collect(line)


class BehaveFormat:
    """How behave's output is recognised."""

    name = "behave"
    weak = NEVER
    start = re.compile(r"USING RUNNER: behave|Feature: .* +# \S+\.feature:\d+$")

    def reader(self) -> BehaveReader:
        """Return a reader for one run."""
        return BehaveReader()
