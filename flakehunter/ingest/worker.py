"""What a worker of a fleet does for `ingest`: parse the files of a unit and write them to PostgreSQL."""

import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, replace

from sqlalchemy import Engine

from flakehunter.db.engine import open_database, shown_url
from flakehunter.db.retry import persistently
from flakehunter.db.rows import Written
from flakehunter.db.write import Writer
from flakehunter.errors import DatabaseError, NothingToDoError
from flakehunter.ingest.fleet import Unit
from flakehunter.ingest.found import IngestOptions, Summary
from flakehunter.ingest.junit.suites import Memory
from flakehunter.ingest.redact import set_patterns
from flakehunter.ingest.runs import RunNaming
from flakehunter.ingest.sources import Source
from flakehunter.ingest.writing import Ingest

IDLE_S = 2.0
"""After so long without another unit a worker gives its connection back: who is done with an ingest is not told."""

TABLES_S, TABLES_LOOK_S = 30.0, 0.02
"""How long to wait for the tables of a new database, and how often to look."""


@dataclass(frozen=True, slots=True)
class _ToldNaming(RunNaming):
    """The naming of files that have their runs already."""

    repeating: frozenset[str] = frozenset()
    """Paths of logs whose results a table says to be repeated elsewhere."""

    def counts_log(self, source: Source) -> bool:
        """Whether results that a log tells of count."""
        return source.relative not in self.repeating


class _Kept:
    """What a worker keeps from one unit of an ingest to the next: ids, hashes, what files repeat, and a connection.

    A new connection is a new process of the server, which has to read again what the tables look like.
    """

    def __init__(self, url: str, project: str) -> None:
        self.engine = _open(url)
        # The command that sent the files does that.
        self.writer = Writer(self.engine, project, completes=False)
        self.memory = Memory()
        self.known: frozenset[bytes] | None = None
        self.closing: threading.Timer | None = None


def _open(url: str) -> Engine:
    """Open the database; whoever sent the unit is about to make its tables, where it has none yet.

    A worker makes none: what the URL means to this host may be another database than the one that is meant.
    """
    until = time.monotonic() + TABLES_S
    while True:
        try:
            return open_database(url)
        except NothingToDoError as error:
            if time.monotonic() > until:
                raise DatabaseError(
                    f"{error.message}, as this host sees it",
                    url=shown_url(url),
                    hint="give a URL that means the same database on every host of the fleet",
                ) from error
        time.sleep(TABLES_LOOK_S)


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


def ingest_unit(
    unit: Unit, *, url: str, options: IngestOptions, patterns: tuple[str, ...], ingest: bytes
) -> tuple[Summary, Written]:
    """Parse and write the files of a unit; what another worker wrote of them before it died is known, and stays.

    `ingest` is the number of the ingest that the unit belongs to.

    Raises:
        DatabaseError: the database cannot be reached or written from this host.
    """
    set_patterns(patterns)
    mine = _take(ingest) or _Kept(url, options.project)
    summary = Summary()
    try:
        options = replace(options, naming=_ToldNaming(repeating=frozenset(unit.repeating)))
        with ExitStack() as stack:
            # The server may be starting again.
            writer = persistently(lambda: stack.enter_context(mine.writer))
            if unit.many:
                persistently(writer.expect_many)
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
