"""What ingest hands to `db.write`: plain rows, cheap to make by the million and to send between processes."""

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from math import inf
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class RunRow:
    """What names a run, and what is known of it; empty when unknown."""

    provider: str = ""
    external_id: str = ""
    workflow: str = ""
    job: str = ""
    attempt: int = 1
    commit: str = ""
    branch: str = ""
    runner: str = ""
    os: str = ""
    cpus: int | None = None
    parallel: int | None = None
    time_limit_s: float | None = None
    started_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ArtifactRow:
    """One file: its content's hash, where it was, and what it was read as."""

    sha256: bytes
    path: str
    kind: str
    format: str
    size_bytes: int


class CaseRow(NamedTuple):
    """A test case as a file names it; `line` is 1-based."""

    suite: str
    classname: str
    name: str
    framework: str = ""
    file: str = ""
    line: int | None = None


class Known:
    """Test cases that file after file tells of, each at a place of its own: a pass then needs no more than the place.

    Rows are only ever added. Whoever reads makes one, and whoever writes keeps the ids beside it.
    """

    __slots__ = ("rows",)

    def __init__(self) -> None:
        self.rows: list[CaseRow] = []


class FailureRow(NamedTuple):
    """The text of a failure; the two hashes are 16 bytes each, see `schema.Failure`."""

    fingerprint: bytes
    detail_hash: bytes
    type: str
    message: str
    detail: str


ResultRow = tuple[int, int, str, float | None, int | None]
"""One attempt of a test case: test, attempt, outcome, duration in seconds, failure.

Test and failure are positions in the lists of the batch; the attempt counts from 1 within the batch. A plain tuple:
there are millions of them, and a named one takes eight times as long to make.
"""


class EventRow(NamedTuple):
    """A log line that matters; `line` is 1-based, `test` the class name and name of the test it belongs to."""

    line: int
    time: datetime | None
    kind: str
    pid: int | None
    text: str
    test: tuple[str, str] | None


class IssueRow(NamedTuple):
    """What was wrong with a file, where, and whether the file was refused for it."""

    position: str
    reason: str
    rejected: bool


Entries = list[list[str]]
"""Properties as they are stored: pairs of name and value in the order of the file."""


class PropertyRow(NamedTuple):
    """The properties of one element: pairs of name and value in the order of the file, attachments among them.

    `test` is a position in the batch's tests and `attempt` counts from 1 within the batch; both are None for those of
    a suite, which `suite` names.
    """

    suite: str
    test: int | None
    attempt: int | None
    entries: tuple[tuple[str, str], ...]


@dataclass(slots=True)
class RunSettings:
    """How a run runs its tests, as far as a file of it says so."""

    parallel: int | None = None
    """How many tests run at a time."""
    time_limit_s: float | None = None
    """How long one test may take."""


@dataclass(slots=True)
class Batch:
    """A part of a file: each test case once, and the attempts of them in the order of the file.

    The plain passes, 99 of 100 results, are columns: `passed` holds places in `known`, and `durations` their seconds.
    A test among them is not among `tests`.
    """

    tests: list[CaseRow] = field(default_factory=list)
    results: list[ResultRow] = field(default_factory=list)
    failures: list[FailureRow] = field(default_factory=list)
    events: list[EventRow] = field(default_factory=list)
    issues: list[IssueRow] = field(default_factory=list)
    properties: list[PropertyRow] = field(default_factory=list)
    known: Known | None = None
    passed: list[int] = field(default_factory=list)
    durations: list[float] = field(default_factory=list)
    settings: RunSettings = field(default_factory=RunSettings)

    def __len__(self) -> int:
        """Return the number of results."""
        return len(self.results) + len(self.passed)

    def in_rows(self) -> "Batch":
        """Return the same with the plain passes among the other results, after them."""
        if self.known is None or not self.passed:
            return self
        start, rows = len(self.tests), self.known.rows
        passes = [(start + number, 1, "passed", duration, None) for number, duration in enumerate(self.durations)]
        return replace(
            self,
            tests=[*self.tests, *(rows[place] for place in self.passed)],
            results=[*self.results, *passes],
            passed=[],
            durations=[],
        )


@dataclass(slots=True)
class ReadArtifact:
    """A file that has been read as a whole, and waits to be written with others."""

    run: RunRow
    row: ArtifactRow
    batches: list[Batch] = field(default_factory=list)
    issues: list[IssueRow] = field(default_factory=list)
    started_at: datetime | None = None
    """When the run started, as far as the file tells."""


class Written:
    """What has been inserted since the last rollup, by one writer or several: the next one need not read it again.

    Columns of test case ids, run ids and outcome words' first letters, 17 bytes a result, one artifact after the other.
    """

    __slots__ = ("artifacts", "outcomes", "runs", "tests", "whole")
    MOST = 500_000
    """Results that are kept; a single file may have more."""

    def __init__(self) -> None:
        self.tests, self.runs, self.outcomes = array("q"), array("q"), bytearray()
        self.artifacts: dict[int, int] = {}
        """How many results each artifact has, in the order of the columns."""
        self.whole = True
        """False when some of it is gone again, or something else is there."""

    def __len__(self) -> int:
        """Return the number of results."""
        return len(self.tests)

    def begin(self, artifact: int) -> None:
        """Note an artifact, of which all is that is added until the next one."""
        self.artifacts[artifact] = 0

    def add(self, run: int, tests: Iterable[int], outcomes: Iterable[str]) -> None:
        """Note results of a run."""
        self._add(run, array("q", tests), bytes([ord(outcome[0]) for outcome in outcomes]))

    def add_passes(self, run: int, tests: list[int]) -> None:
        """Note results of a run that all passed."""
        self._add(run, array("q", tests), b"p" * len(tests))

    def _add(self, run: int, tests: "array[int]", outcomes: bytes) -> None:
        self._limit()
        if self.whole:
            self.artifacts[next(reversed(self.artifacts))] += len(tests)
            self.tests += tests
            self.runs += array("q", [run]) * len(tests)
            self.outcomes += outcomes

    def merge(self, other: "Written") -> None:
        """Add what another writer has inserted."""
        self._limit()
        self.whole = self.whole and other.whole
        if self.whole:
            self.artifacts |= other.artifacts
            self.tests += other.tests
            self.runs += other.runs
            self.outcomes += other.outcomes

    def _limit(self) -> None:
        if len(self) > self.MOST:
            self.tests, self.runs, self.outcomes, self.whole = array("q"), array("q"), bytearray(), False

    def between(self, since: int, upto: float) -> "Written":
        """Return what the artifacts after `since` brought, not after `upto`."""
        part = Written()
        part.whole = self.whole
        start = 0
        for artifact, count in self.artifacts.items() if self.whole else ():
            end = start + count
            if since < artifact <= upto:
                part.artifacts[artifact] = count
                part.tests += self.tests[start:end]
                part.runs += self.runs[start:end]
                part.outcomes += self.outcomes[start:end]
            start = end
        return part

    def forget(self, upto: int) -> None:
        """Forget what is in a rollup now; where it was not whole, all of it, so that nobody takes the rest for all."""
        rest = self.between(upto, inf)
        self.tests, self.runs, self.outcomes, self.artifacts = rest.tests, rest.runs, rest.outcomes, rest.artifacts
        self.whole = True
