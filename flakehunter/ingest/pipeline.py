"""From paths to rows: find the artifacts, name their runs, have them read, and have them written.

Workers read the first files while this process imports what writes them, SQLAlchemy most of all: so nothing here does.
"""

import contextlib
import itertools
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path

from flakehunter.fanout import open_pool, usable_cpus
from flakehunter.fanout.companion import companion
from flakehunter.ingest.ahead import BLOCKS_AHEAD, read_ahead
from flakehunter.ingest.found import IngestOptions as IngestOptions
from flakehunter.ingest.found import Observer, ReadSource, artifacts, nothing_found
from flakehunter.ingest.found import Summary as Summary
from flakehunter.ingest.sources import Source, find_sources

FEW_FILES = 64
"""So many files are read by this process itself, unless the user wants it otherwise: others take time to start."""


def ingest(paths: Sequence[Path | str], url: str, options: IngestOptions, observe: Observer | None = None) -> Summary:
    """Ingest the artifacts of `paths` into the database at `url`; `observe` is called after each of them.

    A broken file is recorded and does not stop the others.

    Raises:
        UsageError: a path does not exist.
        RemoteError: a service that a URL names fails.
        NothingToDoError: there is no artifact below the paths, or none that the layout fits.
        DatabaseError: the database cannot be written.
    """
    summary = Summary()
    sources = find_sources(paths, options.limits.archive_bytes)
    jobs, sources = _processes(paths, sources, options)
    # Before the database is open: no process shall inherit it. Of two, the one that reads has no time for more.
    with companion(max(jobs - 1, 1)) as beside, contextlib.closing(_read(sources, jobs, options)) as reading:
        found = artifacts(reading, options, summary)
        first = next(found, None)
        if first is None:
            raise nothing_found(paths, options, summary)
        from flakehunter.ingest.writing import write_found

        write_found(itertools.chain([first], found), url, options, summary, observe, beside)
    return summary


def _processes(
    paths: Sequence[Path | str], sources: Iterator[Source], options: IngestOptions
) -> tuple[int, Iterator[Source]]:
    """Return how many processes there are to be, and the sources, of which some have been looked at for that."""
    jobs = options.jobs or usable_cpus()
    # What comes from elsewhere is there only until the next is taken.
    if jobs == 1 or not all(isinstance(path, Path) and str(path) != "-" for path in paths):
        return 1, sources
    few = list(itertools.islice(sources, FEW_FILES))
    return jobs if options.jobs or len(few) == FEW_FILES else 1, itertools.chain(few, sources)


def _read(sources: Iterator[Source], jobs: int, options: IngestOptions) -> Generator[ReadSource, None, None]:
    """Yield the files, with what other processes have read of them."""
    if jobs == 1:
        yield from ((source, None) for source in sources)
        return
    with open_pool(workers=jobs - 1, ahead=BLOCKS_AHEAD) as pool:
        yield from read_ahead(sources, pool, options.limits, repair=options.keeps_damaged, meanwhile=_load)


def _load() -> None:
    """Import what writes: workers are at their first files."""
    import flakehunter.ingest.writing  # noqa: F401 (it is needed when the first of them have been read)
