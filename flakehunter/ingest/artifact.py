"""Read one artifact, of whatever kind, into batches of rows."""

from collections.abc import Iterator
from datetime import datetime
from typing import BinaryIO

from flakehunter.db.rows import Batch, IssueRow
from flakehunter.ingest.junit.reader import JUnitReader, Memory
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

    def _read_junit(self) -> Iterator[Batch]:
        reader = JUnitReader(self._stream, self._limits, memory=self._memory)
        try:
            yield from reader.batches()
        except XmlDamage as damage:
            raise Refused(damage.position, damage.reason) from damage
        self.format, self.started_at = reader.framework, reader.started_at
        if reader.damage is not None:
            if not self._repair:
                raise Refused(reader.damage.position, reader.damage.reason)
            kept = f"the {reader.cases} whole test cases before it are kept"
            if not reader.cases:
                raise Refused(reader.damage.position, f"{reader.damage.reason}; no whole test case before it")
            self.issues.append(IssueRow(reader.damage.position, f"{reader.damage.reason}; {kept}", False))
        elif not reader.cases and reader.declared:
            self.issues.append(IssueRow("", f"it declares {reader.declared} tests and holds no test case", False))
