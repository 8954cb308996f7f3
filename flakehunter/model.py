"""The vocabulary shared by all parts: outcomes, mechanisms, verdicts, test identity, evidence.

The values of the enums are the words in the database, in JSON documents and in reports.
"""

import hashlib
from dataclasses import dataclass
from enum import StrEnum

SCHEMA_VERSION = 1
"""Version of every JSON document flakehunter prints; keys may be added under it, never changed."""


class Outcome(StrEnum):
    """Outcome of one attempt of a test case."""

    PASSED = "passed"
    FAILED = "failed"
    ERRORED = "errored"
    SKIPPED = "skipped"

    @property
    def is_bad(self) -> bool:
        """Whether the attempt counts as a failure of the test."""
        return self in (Outcome.FAILED, Outcome.ERRORED)


class Verdict(StrEnum):
    """What the whole history says of a test."""

    FLAKY = "flaky"
    BROKEN = "broken"
    HEALTHY = "healthy"
    UNKNOWN = "unknown"


class ReproVerdict(StrEnum):
    """How an experiment of `repro` ended."""

    REPRODUCED = "reproduced"
    NOT_REPRODUCED = "not-reproduced"
    FIX_VERIFIED = "fix-verified"
    FIX_INSUFFICIENT = "fix-insufficient"
    UNDECIDED = "undecided"


class TrialOutcome(StrEnum):
    """How one trial of `repro` ended; only `failed` is the test's own failure."""

    PASSED = "passed"
    FAILED = "failed"
    ERRORED = "errored"
    """The runner or the command broke, not the test: it counts in no rate."""
    HUNG = "hung"
    """The time limit ended the trial."""


class Mechanism(StrEnum):
    """Why a test that ends processes flakes; the cause vocabulary of docs/mechanisms.md."""

    CHECK_BEFORE_EXIT = "check-before-exit"
    ZOMBIE_COUNTED_ALIVE = "zombie-counted-alive"
    FIXED_SLEEP = "fixed-sleep"
    SIGNAL_BEFORE_READY = "signal-before-ready"
    ASSIGN_AFTER_EXIT = "assign-after-exit"
    SURVIVOR = "survivor"
    RESOURCE_STILL_HELD = "resource-still-held"
    DEADLINE_TOO_SHORT = "deadline-too-short"


class EvidenceSource(StrEnum):
    """Where a piece of evidence comes from."""

    HISTORY = "history"
    TEXT = "text"
    SCAN = "scan"
    TRACE = "trace"
    REPRO = "repro"


class LogEventKind(StrEnum):
    """What a stored log line is about."""

    SIGNAL = "signal"
    PROCESS = "process"
    KILL = "kill"
    TIMEOUT = "timeout"
    JOB = "job"


@dataclass(frozen=True, slots=True)
class Evidence:
    """One reason for a verdict: `weight` in [0, 1], `ref` names the rows, file or line it came from."""

    source: EvidenceSource
    text: str
    weight: float
    ref: str


@dataclass(frozen=True, slots=True)
class Interval:
    """A rate with its confidence or credible interval, all three in [0, 1]."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, order=True)
class TestIdentity:
    """What makes a test case the same one across runs."""

    __test__ = False  # the name makes pytest think that this is a test class

    project: str
    suite: str
    classname: str
    name: str

    @property
    def key(self) -> bytes:
        """Return the stable 16-byte key: BLAKE2b-128 over the four parts, each with its length before it."""
        parts = [
            part.encode("utf-8", "surrogatepass") for part in (self.project, self.suite, self.classname, self.name)
        ]
        told = b"".join([len(part).to_bytes(4, "big") + part for part in parts])
        return hashlib.blake2b(told, digest_size=16).digest()

    @property
    def label(self) -> str:
        """Return the id shown to users: suite, class name and name joined by `::`, without repetitions."""
        parts = [self.suite] if self.suite and not self.classname.startswith(self.suite) else []
        if self.classname:
            parts.append(self.classname)
        return "::".join([*parts, self.name])
