"""Read a log file: find the formats in it, keep the lines that matter with the test they belong to."""

import io
import re
from collections import deque
from collections.abc import Iterator
from datetime import datetime
from typing import BinaryIO

from flakehunter.db.rows import Batch, CaseRow, EventRow, FailureRow, IssueRow, RunSettings
from flakehunter.ingest.identity import file_of
from flakehunter.ingest.limits import Limits
from flakehunter.ingest.logs.ava import AvaFormat
from flakehunter.ingest.logs.bats import BatsFormat
from flakehunter.ingest.logs.behave import BehaveFormat
from flakehunter.ingest.logs.cargo import CargoFormat, CargoJsonFormat, NextestFormat
from flakehunter.ingest.logs.catch2 import CatchFormat
from flakehunter.ingest.logs.ctest import CTestFormat
from flakehunter.ingest.logs.events import classify
from flakehunter.ingest.logs.format import SOURCE, Format, LogResult, Owner, Reader
from flakehunter.ingest.logs.googletest import GoogleTestFormat
from flakehunter.ingest.logs.gotest import GoFormat, GoJsonFormat
from flakehunter.ingest.logs.gradle import GradleFormat
from flakehunter.ingest.logs.jest import JestFormat
from flakehunter.ingest.logs.mocha import MochaFormat
from flakehunter.ingest.logs.nodetest import NodeFormat
from flakehunter.ingest.logs.phpunit import PhpunitFormat
from flakehunter.ingest.logs.playwright import PlaywrightFormat
from flakehunter.ingest.logs.plugged import formats_of_plugins
from flakehunter.ingest.logs.prefixes import split_prefix, without_clock
from flakehunter.ingest.logs.pytest import PytestFormat
from flakehunter.ingest.logs.robot import RobotFormat
from flakehunter.ingest.logs.rspec import RspecFormat
from flakehunter.ingest.logs.settings import note_setting
from flakehunter.ingest.logs.surefire import SurefireFormat
from flakehunter.ingest.logs.tap import TapFormat
from flakehunter.ingest.logs.unittest import UnittestFormat
from flakehunter.ingest.logs.vitest import VitestFormat
from flakehunter.ingest.text import stored, stored_name
from flakehunter.stats.fingerprints import detail_hash, fingerprint

FORMATS: tuple[Format, ...] = (
    *formats_of_plugins(),
    PytestFormat(),
    VitestFormat(),
    AvaFormat(),
    BatsFormat(),
    BehaveFormat(),
    CargoFormat(),
    CargoJsonFormat(),
    NextestFormat(),
    CatchFormat(),
    CTestFormat(),
    GoogleTestFormat(),
    GoFormat(),
    GoJsonFormat(),
    GradleFormat(),
    JestFormat(),
    MochaFormat(),
    NodeFormat(),
    PhpunitFormat(),
    PlaywrightFormat(),
    RobotFormat(),
    RspecFormat(),
    SurefireFormat(),
    TapFormat(),
    UnittestFormat(),
)

RECENT = 400
"""Lines kept in case that they turn out to belong to a runner that is recognised below them."""


def _unnamed(pattern: re.Pattern[str]) -> str:
    """Return a pattern's text without the names of its groups, so that it can stand beside others."""
    return re.sub(r"\(\?P<\w+>", "(?:", pattern.pattern)


_LINE_BYTES = 64 * 1024
"""A longer line is read in pieces."""


class LogFile:
    """Reads one log; `batch()` once, then look at `formats` and `started_at`."""

    def __init__(self, stream: BinaryIO, limits: Limits) -> None:
        self._stream, self._limits = stream, limits
        self.formats: list[str] = []
        self.started_at: datetime | None = None
        self._readers: list[tuple[Format, Reader]] = []
        self._events: list[tuple[EventRow, Owner | None]] = []
        self._dropped = 0
        self._settings = RunSettings()
        self._current: tuple[Format, Reader] | None = None
        self._recent: deque[str] = deque(maxlen=RECENT)

    def batch(self) -> Batch:
        """Read the log and return its rows."""
        for number, (moment, text) in enumerate(self._lines(), start=1):
            if moment is not None and self.started_at is None:
                self.started_at = moment
            self._line(number, moment, text)
        batch = Batch(settings=self._settings)
        for form, reader in self._readers:
            reader.end()
            _add_results(batch, form.name, reader.results, self._limits)
        batch.events = [row._replace(test=owner.test if owner is not None else None) for row, owner in self._events]
        if self._dropped:
            reason = f"{self._dropped} more lines about processes were left out; {self._limits.events} are kept"
            batch.issues.append(IssueRow("", reason, False))
        return batch

    def _lines(self) -> Iterator[tuple[datetime | None, str]]:
        reader = io.BufferedReader(self._stream) if isinstance(self._stream, io.RawIOBase) else self._stream
        while raw := reader.readline(_LINE_BYTES):
            yield split_prefix(raw.decode("utf-8", "replace"))

    def _line(self, number: int, moment: datetime | None, text: str) -> None:
        text = without_clock(text)
        self._recognise(text)
        reader = self._current[1] if self._current else None
        owner = reader.feed(text) if reader else None
        if self._current is not None and owner is None:
            note_setting(self._settings, self._current[0].name, text)
        if reader is None:
            self._recent.append(text)
        elif reader.shown is not None:
            text = reader.shown
        if reader is not None and reader.over:
            self._current = None
        event = classify(text) if owner is not SOURCE else None
        if event is None:
            return
        if len(self._events) >= self._limits.events:
            self._dropped += 1
            return
        shown = stored(text.strip(), self._limits.line_chars)
        self._events.append((EventRow(number, moment, event[0].value, event[1], shown, None), owner))

    def _recognise(self, text: str) -> None:
        """Begin to read a runner's output where this line says that it begins."""
        if _STARTS.match(text):
            form = next(form for form in FORMATS if form.start.match(text))
            if self._current is None or self._current[0] is not form or _BEGINS.match(text):
                self._begin(form)
                return
        if self._current is None and _WEAK.match(text):
            self._begin(next(form for form in FORMATS if form.weak.match(text)))
            # Reporters of this kind print the names of suites before anything that tells them apart.
            assert self._current is not None
            for line in self._recent:
                self._current[1].feed(line)
            self._recent.clear()

    def _begin(self, form: Format) -> None:
        self._current = (form, form.reader())
        self._readers.append(self._current)
        if form.name not in self.formats:
            self.formats.append(form.name)


# All first lines in one expression each: nearly every line of a log is none.
_STARTS = re.compile("|".join(f"(?:{_unnamed(form.start)})" for form in FORMATS))
_WEAK = re.compile("|".join(f"(?:{_unnamed(form.weak)})" for form in FORMATS))
_BEGINS = re.compile(r"=+ test session starts =+|\s*RUN\s+v\d+\.\d+\.\d+")


def _add_results(batch: Batch, framework: str, results: list[LogResult], limits: Limits) -> None:
    places: dict[tuple[str, str, str], int] = {}
    attempts: list[int] = []
    for result in results:
        suite = stored_name(result.suite, limits.name_chars)
        classname = stored_name(result.classname, limits.name_chars)
        name = stored_name(result.name, limits.name_chars)
        key = (suite, classname, name)
        if key not in places:
            places[key] = len(batch.tests)
            file = result.file or file_of(framework, classname, name, suite)
            batch.tests.append(CaseRow(suite, classname, name, framework, stored_name(file, limits.name_chars)))
        test = places[key]
        while len(attempts) <= test:
            attempts.append(0)
        attempts[test] += 1
        failure = None
        if result.outcome.is_bad and (result.message or result.detail):
            message = stored(result.message, limits.message_chars)
            detail = stored(result.detail, limits.detail_chars)
            failure = len(batch.failures)
            batch.failures.append(
                FailureRow(fingerprint("", message), detail_hash("", message, detail), "", message, detail)
            )
        batch.results.append((test, attempts[test], result.outcome.value, result.duration_s, failure))


def looks_like_log(head: bytes) -> bool:
    """Whether the first kilobytes of a file are text of a CI job: a known runner, a CI's marks, or process lines."""
    text = head.decode("utf-8", "replace")
    for raw in text.splitlines():
        moment, line = split_prefix(raw)
        if moment is not None:
            return True
        line = without_clock(line)
        if _STARTS.match(line) or _WEAK.match(line):
            return True
    return bool(re.search(r"##\[(?:group|error|section)\]|section_start:\d|travis_(?:fold|time):|\x1b_bk;t=\d", text))
