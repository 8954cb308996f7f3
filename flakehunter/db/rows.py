"""What ingest hands to `db.write`: plain rows, cheap to make by the million and to send between processes."""

from dataclasses import dataclass, field
from datetime import datetime
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
class Batch:
    """A part of a file: each test case once, and the attempts of them in the order of the file."""

    tests: list[CaseRow] = field(default_factory=list)
    results: list[ResultRow] = field(default_factory=list)
    failures: list[FailureRow] = field(default_factory=list)
    events: list[EventRow] = field(default_factory=list)
    issues: list[IssueRow] = field(default_factory=list)
    properties: list[PropertyRow] = field(default_factory=list)
