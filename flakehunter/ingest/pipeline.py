"""From paths to rows: find the artifacts, name their runs, have them read, and have them written.

Workers read the first files while this process imports what writes them, SQLAlchemy most of all: so nothing here does.
"""

import contextlib
import itertools
from collections.abc import Generator, Sequence
from pathlib import Path

from flakehunter.fanout import open_pool, usable_cpus
from flakehunter.ingest.ahead import BLOCKS_AHEAD, read_ahead
from flakehunter.ingest.found import IngestOptions as IngestOptions
from flakehunter.ingest.found import Observer, ReadSource, artifacts, nothing_found
from flakehunter.ingest.found import Summary as Summary
from flakehunter.ingest.sources import find_sources

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
    # Before the database is open: no process shall inherit it.
    with contextlib.closing(_sources(paths, options)) as sources:
        found = artifacts(sources, options, summary)
        first = next(found, None)
        if first is None:
            raise nothing_found(paths, options, summary)
        from flakehunter.ingest.writing import write_found

        write_found(itertools.chain([first], found), url, options, summary, observe)
    return summary


def _sources(paths: Sequence[Path | str], options: IngestOptions) -> Generator[ReadSource, None, None]:
    """Yield the files below `paths`, with what other processes have read of them."""
    sources = find_sources(paths, options.limits.archive_bytes)
    jobs = options.jobs or usable_cpus()
    # What comes from elsewhere is there only until the next is taken.
    if jobs > 1 and all(isinstance(path, Path) and str(path) != "-" for path in paths):
        few = list(itertools.islice(sources, FEW_FILES))
        sources = itertools.chain(few, sources)
        if options.jobs or len(few) == FEW_FILES:
            with open_pool(workers=jobs - 1, ahead=BLOCKS_AHEAD) as pool:
                yield from read_ahead(sources, pool, options.limits, repair=options.keeps_damaged, meanwhile=_load)
            return
    yield from ((source, None) for source in sources)


def _load() -> None:
    """Import what writes: workers are at their first files."""
    import flakehunter.ingest.writing  # noqa: F401 (it is needed when the first of them have been read)
