"""Console output of Playwright: the list reporter."""

import re

from flakehunter.ingest.identity import playwright_suite
from flakehunter.ingest.logs.format import NEVER, LineReader, Owner
from flakehunter.model import Outcome

_PLAYWRIGHT = re.compile(
    r" +(?P<mark>[✓✘x-]|ok) +\d+ (?:\[(?P<project>[^\]]+)\] › )?(?P<file>\S+?):\d+:\d+ › (?P<name>.+?)"
    r"(?: \(retry #(?P<retry>\d+)\))?(?: \((?P<time>[\d.]+)(?P<unit>ms|s|m)\))?\s*$"
)


class PlaywrightReader(LineReader):
    """Reads Playwright's list reporter, in which each retry has a line of its own."""

    def __init__(self) -> None:
        super().__init__()
        self._explained: set[tuple[str, str]] = set()
        self._counted = False

    def feed(self, line: str) -> Owner | None:
        """Take a line; return whose it is."""
        self._counted = self._counted or bool(re.match(r" +\d+ (?:passed|failed|flaky)\b", line))
        found = _PLAYWRIGHT.match(line)
        if found:
            outcome = {"✓": Outcome.PASSED, "ok": Outcome.PASSED, "-": Outcome.SKIPPED}.get(
                found["mark"], Outcome.FAILED
            )
            scale = {"ms": 0.001, "s": 1.0, "m": 60.0}
            seconds = float(found["time"]) * scale[found["unit"]] if found["time"] else None
            # The same test runs once in each project, as it does in the JUnit file.
            suite = playwright_suite(found["project"] or "", found["file"])
            self.add(found["file"], found["name"], outcome, seconds, suite=suite).file = found["file"]
            return self.begin(found["file"], found["name"])
        section = re.match(r" +\d+\) (?:\[[^\]]+\] › )?(?P<file>\S+?):\d+:\d+ › (?P<name>.+?) ─+", line)
        if section:
            self._explained.add((section["file"], section["name"]))
            return self.begin(section["file"], section["name"])
        return self.collect(line)

    def end(self) -> None:
        """Count as passed what failed as `test.fail()` expects: such tests have the mark, but no section below."""
        for result in self.results:
            told = (result.classname, result.name) in self._explained
            if self._counted and result.outcome is Outcome.FAILED and not told:
                result.outcome = Outcome.PASSED


class PlaywrightFormat:
    """How Playwright's output is recognised."""

    name = "playwright"
    weak = NEVER
    start = re.compile(r"Running \d+ tests? using \d+ workers?")

    def reader(self) -> PlaywrightReader:
        """Return a reader for one run."""
        return PlaywrightReader()
