"""Ingest by the workers of a fleet: this machine finds and reads the files, they parse them and write to PostgreSQL.

What the first unit needs is imported here, and no SQLAlchemy: workers have it, and wait for nothing but their files.
"""

import io
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from flakehunter.db.rows import Written
from flakehunter.errors import DatabaseError, FlakehunterError, UsageError
from flakehunter.fanout import Outcome, open_pool
from flakehunter.garbage import few_collections
from flakehunter.ingest.found import Found, IngestOptions, Observer, Summary, find_artifacts, nothing_found
from flakehunter.ingest.redact import own_patterns
from flakehunter.ingest.runs import RunNaming
from flakehunter.ingest.sources import Source

if TYPE_CHECKING:
    from flakehunter.db.write import Writer
    from flakehunter.ingest.writing import Ingest

FIRST_BYTES, UNIT_BYTES = 1 << 20, 4 << 20
"""What a worker is sent at a time, at first and at most: 10,000 results, which it parses and writes in a quarter of a
second, to 40,000.

The last worker to be done makes all others wait for that long, and each unit costs the same beside what is in it.
"""

UNITS_BEFORE = 32
"""A unit is one part in so many of what was sent before it, within these limits: so the last one is short, by ratio."""

MOST_SENT = 64 << 20
"""Larger files are ingested by this machine: the scheduler would hold them in memory."""


@dataclass(slots=True)
class Unit:
    """Files for one worker, with what they hold; all of one run, or one folder where no run is known, are together.

    So their order is that of one machine, on which the numbers of attempts depend, and which log belongs to which file.
    """

    found: list[Found] = field(default_factory=list)
    size_bytes: int = 0
    many: bool = False
    """Whether it is full, so that there are many more results."""
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
    if url.partition(":")[0].partition("+")[0] == "sqlite":
        from flakehunter.db.engine import shown_url

        raise UsageError(
            f"--scheduler and the SQLite database {shown_url(url)}: workers write to the database themselves",
            hint="give a server that all of them reach: --db postgresql://USER@HOST/NAME",
        )
    summary = Summary()
    plain = replace(options, naming=RunNaming())
    work = partial(_ingest_unit, url=url, options=plain, patterns=own_patterns(), ingest=os.urandom(8))
    broken: list[FlakehunterError] = []
    # To import dask, too, takes a tenth less so.
    with few_collections(), open_pool(scheduler) as pool, _Home(url, options, summary) as home:
        units = _units(paths, options, summary, home)
        for outcome in pool.map(work, units, name=lambda unit: unit.name, when_sent=home.open):
            home.merge(_added(summary, outcome, broken))
            if observe is not None:
                observe(outcome.item.found[-1][0], summary)
        if not summary.artifacts and not broken:
            raise nothing_found(paths, options, summary)
        home.finish()
    if broken:
        raise broken[0]
    summary.rejected.sort(key=lambda entry: entry.path)
    return summary


class _Home:
    """What this machine does with the database itself: rollups, files that are too large to be sent, what is left out.

    It is opened when the workers have something to do: what that takes, most of it the import of SQLAlchemy, is a third
    of a second.
    """

    def __init__(self, url: str, options: IngestOptions, summary: Summary) -> None:
        self._url, self._options, self._summary = url, options, summary
        self._stack = ExitStack()
        self._opened: tuple[Writer, Ingest] | None = None
        self.expects_many = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Write what waits for others, unless the database has refused, and close the database."""
        self._stack.__exit__(kind, error, at)

    def open(self) -> None:
        """Open the database, if it is not open yet, and make its tables, for which the workers wait.

        Raises:
            DatabaseError: it cannot be reached or written.
        """
        if self._opened is not None:
            return
        from flakehunter.db.engine import open_database
        from flakehunter.db.write import Writer
        from flakehunter.ingest.writing import Ingest

        engine = open_database(self._url, create=True)
        self._stack.callback(engine.dispose)
        writer = self._stack.enter_context(Writer(engine, self._options.project))
        # Whether a large file is known is asked when there is one.
        here = Ingest(writer, self._options, self._summary, known=frozenset())
        self._opened = writer, self._stack.enter_context(here)
        self._expect_many(writer)

    def _expect_many(self, writer: "Writer", elsewhere: int = 0) -> None:
        from flakehunter.db.retry import persistently

        if self.expects_many:
            persistently(lambda: writer.expect_many(elsewhere))

    def _both(self) -> "tuple[Writer, Ingest]":
        self.open()
        assert self._opened is not None
        return self._opened

    def take(self, found: Found) -> None:
        """Ingest an artifact here."""
        self._both()[1].take(*found)

    def merge(self, brought: Written) -> None:
        """Note what a worker has written, and roll up what is enough for it."""
        from flakehunter.db.retry import persistently
        from flakehunter.ingest.writing import RESULTS_A_ROLLUP

        writer, _ = self._both()
        self._expect_many(writer, len(brought))
        writer.written.merge(brought)
        if len(writer.written) >= RESULTS_A_ROLLUP:
            # Another worker may have committed what it has not told yet.
            persistently(lambda: writer.roll_up(told_only=True))

    def finish(self) -> None:
        """Write what waits for others, and roll up the rest."""
        from flakehunter.db.retry import persistently

        writer, here = self._both()
        here.write()
        persistently(writer.finish)


def _units(paths: Sequence[Path | str], options: IngestOptions, summary: Summary, home: _Home) -> Iterator[Unit]:
    unit, before = Unit(), 0
    for source, kind, run in find_artifacts(paths, options, summary):
        key = run if run.external_id else source.path.parent
        enough = min(UNIT_BYTES, max(FIRST_BYTES, before // UNITS_BEFORE))
        if unit.size_bytes >= enough and key != unit.last_key:
            unit.many = home.expects_many = True
            yield unit
            before += unit.size_bytes
            unit = Unit()
        data = b"" if source.problem else _content(source)
        if data is None:
            home.take((source, kind, run))
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


def _ingest_unit(
    unit: Unit, *, url: str, options: IngestOptions, patterns: tuple[str, ...], ingest: bytes
) -> tuple[Summary, Written]:
    """Have the worker that this is ingest a unit; whoever only sends it need not import what that takes."""
    from flakehunter.ingest.worker import ingest_unit

    return ingest_unit(unit, url=url, options=options, patterns=patterns, ingest=ingest)


def _added(
    summary: Summary, outcome: Outcome[Unit, tuple[Summary, Written]], broken: list[FlakehunterError]
) -> Written:
    """Add what a worker did; what it could not do is kept for the end, but no worker can without a database."""
    if isinstance(outcome.error, DatabaseError):
        error = outcome.error
        raise DatabaseError(f"worker on {outcome.host}: {error.message}", url=error.url, hint=error.hint)
    if outcome.error is not None:
        broken.append(outcome.error)
        return Written()
    done, brought = outcome.value
    summary.artifacts += done.artifacts
    summary.results += done.results
    summary.new_results += done.new_results
    summary.known_artifacts += done.known_artifacts
    summary.rejected += done.rejected
    summary.unnamed += done.unnamed
    return brought
