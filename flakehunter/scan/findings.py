"""What `scan` finds: one flaw with its two lines, and what is said of a whole scan."""

import hashlib
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar

from flakehunter.model import SCHEMA_VERSION, Mechanism


class Confidence(StrEnum):
    """How much speaks for a finding."""

    LIKELY = "likely"
    POSSIBLE = "possible"
    """A shape that is as often right as flawed, or whose process is only guessed: shown when it is asked for."""


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One place where a test may look too early; lines are 1-based.

    `signal_line` is where the process is signalled (or started, where no signal is part of the flaw), `look_line`
    where the answer is taken for granted.
    """

    file: str
    look_line: int
    signal_line: int
    mechanism: Mechanism
    function: str
    language: str
    message: str
    signal_source: str = ""
    look_source: str = ""
    confidence: Confidence = Confidence.LIKELY

    @property
    def fingerprint(self) -> str:
        """Return a hash that stays when lines move: mechanism, file, function and the source of both lines."""
        parts = (self.mechanism.value, self.file, self.function, self.signal_source.strip(), self.look_source.strip())
        return hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()[:32]

    def document(self) -> dict[str, object]:
        """Return the finding as `scan --json` prints it."""
        return {
            "mechanism": self.mechanism.value,
            "confidence": self.confidence.value,
            "file": self.file,
            "function": self.function,
            "language": self.language,
            "signal_line": self.signal_line,
            "look_line": self.look_line,
            "message": self.message,
            "signal_source": self.signal_source.strip(),
            "look_source": self.look_source.strip(),
            "fingerprint": self.fingerprint,
        }


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that was not read, and why."""

    file: str
    reason: str


@dataclass(slots=True)
class Report:
    """The outcome of a scan."""

    SCORE: ClassVar[float] = 0.7
    """Weight of a finding as evidence: the source allows the flake, nobody has seen it."""

    findings: list[Finding] = field(default_factory=list)
    held_back: int = 0
    """Possible findings that are not among `findings`, for nobody asked for them."""
    files: int = 0
    parsed: int = 0
    """Files that could hold process code, and were parsed."""
    size_bytes: int = 0
    silenced: int = 0
    """Findings that a comment silenced."""
    broken: list[str] = field(default_factory=list)
    """Files with syntax errors: scanned for what could be parsed."""
    skipped: list[Skipped] = field(default_factory=list)
    failed: list[Skipped] = field(default_factory=list)
    """Files that the rules could not judge: bugs of ours, which the command says out loud."""

    @property
    def likely(self) -> list[Finding]:
        """The findings that count by default: in a database, and for what makes a command fail."""
        return [finding for finding in self.findings if finding.confidence is Confidence.LIKELY]

    def add(self, other: "Report") -> None:
        """Add the outcome of other files."""
        self.findings.extend(other.findings)
        self.broken.extend(other.broken)
        self.skipped.extend(other.skipped)
        self.failed.extend(other.failed)
        self.files += other.files
        self.parsed += other.parsed
        self.size_bytes += other.size_bytes
        self.silenced += other.silenced

    def document(self) -> dict[str, object]:
        """Return the `scan --json` document."""
        return {
            "schema_version": SCHEMA_VERSION,
            "findings": [finding.document() for finding in self.findings],
            "files": self.files,
            "parsed": self.parsed,
            "silenced": self.silenced,
            "held_back": self.held_back,
            "broken": self.broken,
            "skipped": [{"file": s.file, "reason": s.reason} for s in [*self.skipped, *self.failed]],
        }
