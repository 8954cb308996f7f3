"""Read one artifact, of whatever kind, into batches of rows."""

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import BinaryIO

from flakehunter.console import plural
from flakehunter.db.rows import Batch, IssueRow
from flakehunter.ingest.junit.mend import is_mendable, mended
from flakehunter.ingest.junit.passes import NotCut, cut_document
from flakehunter.ingest.junit.reader import JUnitReader
from flakehunter.ingest.junit.suites import Memory
from flakehunter.ingest.junit.tree import XmlDamage
from flakehunter.ingest.limits import Limits
from flakehunter.ingest.logs.reading import LogFile
from flakehunter.ingest.sources import Kind


class Refused(Exception):  # noqa: N818 (a finding about a file, not a failure of ours)
    """Nothing of the file may be stored; `position` is where in it, or empty."""

    def __init__(self, position: str, reason: str) -> None:
        super().__init__(reason)
        self.position = position
        self.reason = reason


class ArtifactReader:
    """Reads one file: `batches()` once, then look at `format`, `started_at`, `issues` and `damage`."""

    def __init__(
        self, kind: Kind, stream: BinaryIO, limits: Limits, *, repair: bool = True, memory: Memory | None = None
    ) -> None:
        self._memory = memory
        self._kind, self._stream, self._limits, self._repair = kind, stream, limits, repair
        self.format = ""
        self.started_at: datetime | None = None
        self.issues: list[IssueRow] = []
        self.events_only = False
        """Keep only the events of a log: its results would count twice."""

    def batches(self) -> Iterator[Batch]:
        """Yield the rows of the file, in parts.

        Raises:
            Refused: the file cannot be read, or it is damaged and repair is off; parts given before do not count.
        """
        if self._kind is Kind.EMPTY:
            raise Refused("line 1, column 1", "the file is empty")
        if self._kind is Kind.LOG:
            yield self._read_log()
        else:
            yield from self._read_junit()

    def _read_log(self) -> Batch:
        log = LogFile(self._stream, self._limits)
        batch = log.batch()
        self.format, self.started_at = "+".join(log.formats), log.started_at
        if self.events_only:
            batch.results = []
        return batch

    def _read_mended(self, damage: XmlDamage) -> Iterator[Batch]:
        """Read the file once more without what makes it no XML; every document in it counts."""
        kept = 0
        later: XmlDamage | None = None
        for document in mended(self._stream):
            with document:
                reader = JUnitReader(document, self._limits, memory=self._memory)  # type: ignore[arg-type]
                try:
                    yield from reader.batches()
                except XmlDamage as error:
                    later = error
                    continue
            later = reader.damage or later
            kept += reader.cases
            self.format = self.format or reader.framework
            moments = [moment for moment in (self.started_at, reader.started_at) if moment is not None]
            self.started_at = min(moments) if moments else None
        if not kept:
            raise Refused(damage.position, damage.reason)
        how = f"read with {kept} test cases after mending"
        if later is not None:
            how += f", up to {later.position}: {later.reason}"
        self.issues.append(IssueRow(damage.position, f"{damage.reason}; {how}", False))

    def _read_junit(self) -> Iterator[Batch]:
        batches = self._read_cut()
        if batches is None:
            yield from self._read_whole()
        else:
            yield from batches

    def _read_cut(self) -> list[Batch] | None:
        """Read a file that is in memory with its passes cut out; None where it has to be read as it is."""
        memory, stream = self._memory, self._stream
        if memory is None or not isinstance(stream, io.BytesIO):
            return None
        cut = cut_document(stream.getvalue(), memory.times)
        if cut is None:
            return None
        reader = JUnitReader(io.BytesIO(cut.rest), self._limits, memory=memory, passes=cut.passes)
        try:
            batches = list(reader.batches())
        except (XmlDamage, NotCut):
            return None
        if reader.damage is not None or not reader.cases:
            return None
        self.format, self.started_at = reader.framework, reader.started_at
        return batches

    def _read_whole(self) -> Iterator[Batch]:
        reader = JUnitReader(self._stream, self._limits, memory=self._memory)
        try:
            batches = reader.batches()
            first = next(batches)
            if self._repair and reader.damage is not None and is_mendable(reader.damage.reason):
                # The damage stands in the first part, of which nothing has been used yet.
                yield from self._read_mended(reader.damage)
                return
            yield first
            del first
            yield from batches
        except XmlDamage as damage:
            if self._repair and not damage.refused and is_mendable(damage.reason):
                yield from self._read_mended(damage)
                return
            raise Refused(damage.position, damage.reason) from damage
        self.format, self.started_at = reader.framework, reader.started_at
        if reader.damage is not None:
            if not self._repair:
                raise Refused(reader.damage.position, reader.damage.reason)
            kept = f"{plural(reader.cases, 'whole test case')} before it kept"
            if not reader.cases:
                raise Refused(reader.damage.position, f"{reader.damage.reason}; no whole test case before it")
            self.issues.append(IssueRow(reader.damage.position, f"{reader.damage.reason}; {kept}", False))
        elif not reader.cases and reader.declared:
            self.issues.append(IssueRow("", f"it declares {reader.declared} tests and holds no test case", False))


WHOLE = 8 << 20
"""Bytes up to which a file is read into memory and parsed before its transaction begins."""


@dataclass(slots=True)
class Parsed:
    """A file of at most `WHOLE` bytes that has been read; `digest` is its SHA-256, `issues` tell why it was refused."""

    kind: Kind
    digest: bytes
    size: int
    format: str = ""
    batches: list[Batch] = field(default_factory=list)
    issues: list[IssueRow] = field(default_factory=list)
    started_at: datetime | None = None


def parse(kind: Kind, data: bytes, digest: bytes, limits: Limits, *, repair: bool, memory: Memory) -> Parsed:
    """Read a file from memory; what must not be stored is left out, with the reason among the issues."""
    reader = ArtifactReader(kind, io.BytesIO(data), limits, repair=repair, memory=memory)
    parsed = Parsed(kind, digest, len(data))
    try:
        parsed.batches = list(reader.batches())
    except Refused as refused:
        parsed.issues = [IssueRow(refused.position, refused.reason, True)]
    else:
        parsed.format, parsed.issues, parsed.started_at = reader.format, reader.issues, reader.started_at
    return parsed
