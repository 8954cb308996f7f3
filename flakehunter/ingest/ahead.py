"""Files are parsed by other processes, ahead of the one that writes; what comes back is columns, in the files' order.

A worker remembers the tests of the files that it has read, as a single process would. The row of a test is sent once,
with the first block that has it; from then on its place is enough. So a result costs the writer 12 bytes to receive.
"""

import hashlib
import os
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from flakehunter.db.rows import Batch, CaseRow, Known
from flakehunter.fanout import Outcome, Pool
from flakehunter.garbage import few_collections
from flakehunter.ingest import redact
from flakehunter.ingest.archives import archive_kind
from flakehunter.ingest.artifact import WHOLE, Parsed, parse
from flakehunter.ingest.junit.suites import Memory
from flakehunter.ingest.limits import Limits
from flakehunter.ingest.sources import HEAD, Kind, Source, kind_of

FILES_A_BLOCK = 16
BYTES_A_BLOCK = 1 << 20
"""What a worker is given at once: so little that what it read of some blocks finds room in its pipe."""
BLOCKS_AHEAD = 12
"""Blocks that wait for each worker while it reads: what it reads in the time that one transaction takes."""

_Block = tuple[int, list[Source]]


@dataclass(frozen=True, slots=True)
class Way:
    """How workers are to read."""

    limits: Limits
    repair: bool
    patterns: tuple[str, ...]
    """Secrets that the user has named, see `redact.add_patterns`."""


@dataclass(slots=True)
class _Passes:
    """The columns of a batch, as they travel."""

    table: int
    places: "array[int]"
    durations: "array[float]"


@dataclass(slots=True)
class _Shipment:
    """What a worker sends for a block: for each file what it read, or None where that is not for a worker."""

    worker: bytes
    files: list[Parsed | None]
    passes: list[_Passes | None]
    """Those of all batches of `files`, in order."""
    tables: list[tuple[int, int, list[CaseRow]]]
    """Rows that were not sent yet: the number of their table, how many it had before, and they themselves."""


@dataclass(slots=True)
class _Desk:
    """What a worker keeps between blocks."""

    pid: int
    worker: bytes = field(default_factory=lambda: os.urandom(8))
    memory: Memory = field(default_factory=Memory)
    known: Known | None = None
    """Whose rows were sent last; an earlier one does not come back."""
    table: int = -1
    """How many there were before it."""
    sent: int = 0
    """Rows of it that were sent."""


_desk: _Desk | None = None


def read_ahead(
    sources: Iterator[Source], pool: Pool, limits: Limits, *, repair: bool, meanwhile: Callable[[], None] | None = None
) -> Iterator[tuple[Source, Parsed | None]]:
    """Yield the sources in their order, each with what a worker read; None where the caller has to do it.

    Those are archives, large files, files that cannot be read, and what lies on no disk of this machine. `meanwhile` is
    called once, when the workers have begun.

    Raises:
        WorkerDiedError: a block of files ended worker after worker.
    """
    way = Way(limits, repair, redact.own_patterns())
    desks: dict[bytes, dict[int, Known]] = {}
    early: dict[int, list[tuple[Source, Parsed | None]]] = {}
    expected = 0
    blocks = enumerate(_blocks(sources))
    for outcome in pool.map(partial(_read_block, way), blocks, name=_name, when_sent=meanwhile):
        number, block = outcome.item
        early[number] = _unpacked(block, outcome, desks)
        while expected in early:
            yield from early.pop(expected)
            expected += 1


def _blocks(sources: Iterator[Source]) -> Iterator[list[Source]]:
    block: list[Source] = []
    size = 0
    for source in sources:
        block.append(source)
        size += _size(source)
        if len(block) >= FILES_A_BLOCK or size >= BYTES_A_BLOCK:
            yield block
            block, size = [], 0
    if block:
        yield block


def _size(source: Source) -> int:
    """Return the bytes of a file that a worker would read; whether it can read it, it will see."""
    try:
        return 0 if source.content is not None else source.path.stat().st_size
    except OSError:
        return 0


def _name(item: _Block) -> str:
    files = item[1]
    return f"{files[0].path} to {files[-1].path.name}"


def _unpacked(
    block: Sequence[Source], outcome: Outcome[_Block, _Shipment], desks: dict[bytes, dict[int, Known]]
) -> list[tuple[Source, Parsed | None]]:
    """Return what a shipment holds; rows are put where the batches of later shipments find them."""
    shipment = outcome.value
    tables = desks.setdefault(shipment.worker, {})
    for number, before, rows in shipment.tables:
        known = tables.setdefault(number, Known())
        # A worker's blocks arrive in the order in which it read them.
        assert len(known.rows) == before
        known.rows += rows
    passes = iter(shipment.passes)
    for parsed in shipment.files:
        for batch in parsed.batches if parsed is not None else ():
            columns = next(passes)
            if columns is not None:
                batch.known = tables[columns.table]
                batch.passed, batch.durations = columns.places.tolist(), columns.durations.tolist()
    for number in sorted(tables)[:-1]:
        del tables[number]
    return list(zip(block, shipment.files, strict=True))


def _read_block(way: Way, item: _Block) -> _Shipment:
    """Read some files; called in a worker."""
    global _desk
    if _desk is None or _desk.pid != os.getpid():
        _desk = _Desk(os.getpid())
    redact.set_patterns(way.patterns)
    with few_collections():
        files = [_read_file(way, source, _desk.memory) for source in item[1]]
    shipment = _Shipment(_desk.worker, files, [], [])
    for parsed in files:
        if parsed is not None:
            parsed.batches = [_stripped(batch, shipment, _desk) for batch in parsed.batches]
    return shipment


def _stripped(batch: Batch, shipment: _Shipment, desk: _Desk) -> Batch:
    """Return a batch without its columns, which go into the shipment with the rows that they need."""
    known = batch.known
    if known is None or not batch.passed:
        shipment.passes.append(None)
        return replace(batch, known=None)
    if desk.known is not known:
        desk.known, desk.table, desk.sent = known, desk.table + 1, 0
    if len(known.rows) > desk.sent:
        shipment.tables.append((desk.table, desk.sent, known.rows[desk.sent :]))
        desk.sent = len(known.rows)
    shipment.passes.append(_Passes(desk.table, array("i", batch.passed), array("d", batch.durations)))
    return replace(batch, known=None, passed=[], durations=[])


def _read_file(way: Way, source: Source, memory: Memory) -> Parsed | None:
    if source.content is not None or source.problem:
        return None
    try:
        with source.path.open("rb") as stream:
            data = stream.read(WHOLE + 1)
    except OSError:
        return None
    head = data[:HEAD]
    if len(data) > WHOLE or archive_kind(head):
        return None
    kind = kind_of(head, source)
    if kind is Kind.OTHER:
        return Parsed(kind, b"", len(data))
    return parse(kind, data, hashlib.sha256(data).digest(), way.limits, repair=way.repair, memory=memory)
