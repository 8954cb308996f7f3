"""Ingest by the workers of a fleet: this machine finds and reads the files, they parse them and write to PostgreSQL."""

import io
import os
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from sqlalchemy import Engine, make_url

from flakehunter.db.engine import open_database, shown_url
from flakehunter.db.retry import persistently
from flakehunter.db.rows import Written
from flakehunter.db.write import Writer
from flakehunter.errors import DatabaseError, FlakehunterError, UsageError
from flakehunter.fanout import Outcome, open_pool
from flakehunter.ingest.junit.suites import Memory
from flakehunter.ingest.pipeline import (
    RESULTS_A_ROLLUP,
    Found,
    Ingest,
    IngestOptions,
    Observer,
    Summary,
    find_artifacts,
    nothing_found,
)
from flakehunter.ingest.redact import own_patterns, set_patterns
from flakehunter.ingest.runs import RunNaming
from flakehunter.ingest.sources import Source

FIRST_BYTES, UNIT_BYTES = 1 << 20, 4 << 20
"""What a worker is sent at a time, at first and at most: 10,000 results, which it parses and writes in a quarter of a
second, to 40,000.

The last worker to be done makes all others wait for that long, and each unit costs the same beside what is in it.
"""

UNITS_BEFORE = 32
"""A unit is one part in so many of what was sent before it, within these limits: so the last one is short, by ratio."""

IDLE_S = 2.0
"""After so long without another unit a worker gives its connection back: who is done with an ingest is not told."""

MOST_SENT = 64 << 20
"""Larger files are ingested by this machine: the scheduler would hold them in memory."""


@dataclass(frozen=True, slots=True)
class _ToldNaming(RunNaming):
    """The naming of files that have their runs already."""

    repeating: frozenset[str] = frozenset()
    """Paths of logs whose results a table says to be repeated elsewhere."""

    def counts_log(self, source: Source) -> bool:
        """Whether results that a log tells of count."""
        return source.relative not in self.repeating


@dataclass(slots=True)
class _Unit:
    """Files for one worker, with what they hold; all of one run, or one folder where no run is known, are together.

    So their order is that of one machine, on which the numbers of attempts depend, and which log belongs to which file.
    """

    found: list[Found] = field(default_factory=list)
    size_bytes: int = 0
    repeating: set[str] = field(default_factory=set)
    last_key: object = None

    @property
    def name(self) -> str:
        """Return what the unit is called in an error."""
        first = self.found[0][0].shown
        return first if len(self.found) == 1 else f"{first} and {len(self.found) - 1} more files"


def ingest_by_fleet(
    paths: Sequence[Path | str], url: str, options: IngestOptions, scheduler: str, observe: Observer | None = None
) -> Summary:
    """Ingest the artifacts of `paths` as `pipeline.ingest` does, by the workers of a dask scheduler.

    Raises:
        UsageError: the database is SQLite, or there is no fleet at the address; and as `pipeline.ingest`.
        WorkerDiedError: worker after worker died with the same files; all others are ingested.
    """
    if make_url(url).get_backend_name() == "sqlite":
        raise UsageError(
            f"--scheduler and the SQLite database {shown_url(url)}: workers write to the database themselves",
            hint="give a server that all of them reach: --db postgresql://USER@HOST/NAME",
        )
    summary = Summary()
    plain = replace(options, naming=RunNaming())
    work = partial(_ingest_unit, url=url, options=plain, patterns=own_patterns(), ingest=os.urandom(8))
    with open_pool(scheduler) as pool:
        engine = open_database(url, create=True)
        try:
            broken: list[FlakehunterError] = []
            with Writer(engine, options.project) as writer:
                with Ingest(writer, options, summary) as here:
                    for outcome in pool.map(work, _units(paths, options, summary, here), name=lambda unit: unit.name):
                        _add(summary, writer.written, outcome, broken)
                        if observe is not None:
                            observe(outcome.item.found[-1][0], summary)
                        if len(writer.written) >= RESULTS_A_ROLLUP:
                            persistently(writer.roll_up)
                if not summary.artifacts and not broken:
                    raise nothing_found(paths, options, summary)
                persistently(writer.roll_up)
        finally:
            engine.dispose()
    if broken:
        raise broken[0]
    summary.rejected.sort(key=lambda entry: entry.path)
    return summary


def _units(paths: Sequence[Path | str], options: IngestOptions, summary: Summary, here: Ingest) -> Iterator[_Unit]:
    unit, before = _Unit(), 0
    for source, kind, run in find_artifacts(paths, options, summary):
        key = run if run.external_id else source.path.parent
        enough = min(UNIT_BYTES, max(FIRST_BYTES, before // UNITS_BEFORE))
        if unit.size_bytes >= enough and key != unit.last_key:
            yield unit
            before += unit.size_bytes
            unit = _Unit()
        data = b"" if source.problem else _content(source)
        if data is None:
            here.take(source, kind, run)
            continue
        sent = replace(source, content=io.BytesIO(data), head=b"", root=None)
        unit.found.append((sent, kind, run))
        unit.size_bytes += len(data)
        unit.last_key = key
        if not options.naming.counts_log(source):
            unit.repeating.add(source.relative)
    if unit.found:
        yield unit


def _content(source: Source) -> bytes | None:
    """Return what a file holds; None where that is too much, or cannot be read, which `Ingest.take` will tell."""
    try:
        stream = source.open()
        data = stream.read(MOST_SENT + 1)
    except OSError:
        return None
    if source.content is None:
        stream.close()
    return data if len(data) <= MOST_SENT else None


class _Kept:
    """What a worker keeps from one unit of an ingest to the next: ids, hashes, what files repeat, and a connection.

    A new connection is a new process of the server, which has to read again what the tables look like.
    """

    def __init__(self, url: str, project: str) -> None:
        self.engine: Engine = open_database(url)
        self.writer = Writer(self.engine, project)
        self.memory = Memory()
        self.known: frozenset[bytes] | None = None
        self.closing: threading.Timer | None = None


_kept: dict[bytes, list[_Kept]] = {}
"""Of the last ingest, by its number: one for each thread of the worker, and here only while it has nothing to do."""
_keeping = threading.Lock()


def _take(ingest: bytes) -> _Kept | None:
    """Return what is kept of an ingest and not in use; forget what is of others."""
    with _keeping:
        for number in _kept.keys() - {ingest}:
            for one in _kept.pop(number):
                _close(one)
        idle = _kept.setdefault(ingest, [])
        mine = idle.pop() if idle else None
        if mine is not None and mine.closing is not None:
            mine.closing.cancel()
        return mine


def _keep(ingest: bytes, mine: _Kept) -> None:
    """Keep it for the next unit; its connection for a moment only."""

    def close_if_idle() -> None:
        with _keeping:
            # The next unit may have come while the timer went off.
            if mine.closing is timer and mine in _kept.get(ingest, ()):
                _close(mine)

    timer = threading.Timer(IDLE_S, close_if_idle)
    timer.daemon = True
    with _keeping:
        mine.closing = timer
        _kept.setdefault(ingest, []).append(mine)
    timer.start()


def _close(mine: _Kept) -> None:
    if mine.closing is not None:
        mine.closing.cancel()
    mine.engine.dispose()


def _ingest_unit(
    unit: _Unit, *, url: str, options: IngestOptions, patterns: tuple[str, ...], ingest: bytes
) -> tuple[Summary, Written]:
    """Parse and write the files of a unit; what another worker wrote of them before it died is known, and stays."""
    set_patterns(patterns)
    mine = _take(ingest) or _Kept(url, options.project)
    summary = Summary()
    try:
        options = replace(options, naming=_ToldNaming(repeating=frozenset(unit.repeating)))
        with mine.writer as writer:
            if mine.known is None:
                mine.known = writer.known_hashes()
            with Ingest(writer, options, summary, memory=mine.memory, known=mine.known) as work:
                for source, kind, run in unit.found:
                    work.take(source, kind, run)
            written, writer.written = writer.written, Written()
    except BaseException:
        mine.engine.dispose()
        raise
    _keep(ingest, mine)
    return summary, written


def _add(
    summary: Summary, written: Written, outcome: Outcome[_Unit, tuple[Summary, Written]], broken: list[FlakehunterError]
) -> None:
    """Add what a worker did; what it could not do is kept for the end, but no worker can without a database."""
    if isinstance(outcome.error, DatabaseError):
        error = outcome.error
        raise DatabaseError(f"worker on {outcome.host}: {error.message}", url=error.url, hint=error.hint)
    if outcome.error is not None:
        broken.append(outcome.error)
        return
    done, brought = outcome.value
    written.merge(brought)
    summary.artifacts += done.artifacts
    summary.results += done.results
    summary.new_results += done.new_results
    summary.known_artifacts += done.known_artifacts
    summary.rejected += done.rejected
    summary.unnamed += done.unnamed
