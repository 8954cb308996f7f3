"""Which files of what a user names are artifacts of a test run, and of which run: nothing here needs a database."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from flakehunter.db.rows import RunRow
from flakehunter.errors import NothingToDoError
from flakehunter.ingest.limits import DEFAULT_LIMITS, Limits
from flakehunter.ingest.runs import RunNaming
from flakehunter.ingest.sources import HEAD, Kind, Source, find_sources, kind_of, unpacked

if TYPE_CHECKING:
    from flakehunter.ingest.artifact import Parsed


@dataclass(frozen=True, slots=True)
class Rejected:
    """A file that was refused, or of which only a part could be kept."""

    path: str
    position: str
    reason: str


@dataclass(slots=True)
class Summary:
    """What an ingest did."""

    artifacts: int = 0
    """Artifacts read, with those that were known and those that were refused."""
    results: int = 0
    """Results in the database that these artifacts brought, now or before."""
    new_results: int = 0
    known_artifacts: int = 0
    rejected: list[Rejected] = field(default_factory=list)
    unnamed: int = 0
    """Artifacts of which no commit is known."""
    skipped: int = 0
    """Files that are no artifact of a test run."""
    files: int = 0
    """Files looked at so far, an archive counted once: how far the ingest is among what `find_sources` gives."""


@dataclass(frozen=True, slots=True)
class IngestOptions:
    """How to ingest; see the options of `flakehunter ingest`."""

    project: str = "default"
    naming: RunNaming = field(default_factory=RunNaming)
    strict: bool = False
    repair: bool = True
    limits: Limits = DEFAULT_LIMITS
    jobs: int | None = None
    """Processes: this one writes and the others parse files; by default one a CPU, or this one alone for few files."""

    @property
    def keeps_damaged(self) -> bool:
        """Whether what can be read of a damaged file is kept."""
        return self.repair and not self.strict


Observer = Callable[[Source, Summary], None]


ReadSource = tuple[Source, "Parsed | None"]
"""A file, and what another process has read of it already."""


Found = tuple[Source, Kind, RunRow]
"""An artifact, how it is read, and the run that it belongs to."""


def find_artifacts(paths: Sequence[Path | str], options: IngestOptions, summary: Summary) -> Iterator[Found]:
    """Yield the artifacts of `paths`, use each before the next is taken; what is none is counted in `summary`."""
    plain = ((source, None) for source in find_sources(paths, options.limits.archive_bytes))
    return (found for found, _ in artifacts(plain, options, summary))


def artifacts(
    sources: Iterable[ReadSource], options: IngestOptions, summary: Summary
) -> Iterator[tuple[Found, "Parsed | None"]]:
    """Yield the artifacts among files, with what was read of them already; see `find_artifacts`."""
    for source, kind, parsed in _kinds(sources, options.limits, summary):
        if kind is Kind.OTHER:
            summary.skipped += 1
            continue
        run = options.naming.run_of(source)
        if run is None:
            template = options.naming.layout.template if options.naming.layout else ""
            summary.artifacts += 1
            summary.rejected.append(Rejected(source.shown, "", f"its path does not fit --layout {template!r}"))
            continue
        yield (source, kind, run), parsed


def _kinds(
    sources: Iterable[ReadSource], limits: Limits, summary: Summary
) -> Iterator[tuple[Source, Kind, "Parsed | None"]]:
    """Yield files with what they are; those in an archive in place of it."""
    for whole, parsed in sources:
        summary.files += 1
        if parsed is not None:
            yield whole, parsed.kind, parsed
            continue
        for source in _members(whole, limits):
            try:
                kind = Kind.REFUSED if source.problem else kind_of(_head(source), source)
            except OSError as error:
                summary.artifacts += 1
                summary.rejected.append(Rejected(source.shown, "", f"cannot be read: {error.strerror}"))
                continue
            yield source, kind, None


def _members(found: Source, limits: Limits) -> Iterator[Source]:
    try:
        yield from unpacked(found, limits)
    except OSError as error:
        yield replace(found, problem=f"cannot be read: {error.strerror}")


def _head(source: Source) -> bytes:
    if source.head or source.content is None:
        return source.head
    source.content.seek(0)
    return source.content.read(HEAD)


def nothing_found(paths: Sequence[Path | str], options: IngestOptions, summary: Summary) -> NothingToDoError:
    """Return the error for paths without an artifact."""
    where = ", ".join(str(path) for path in paths)
    if summary.rejected and options.naming.layout is not None:
        names = ", ".join(entry.path for entry in summary.rejected[:3])
        more = f" and {len(summary.rejected) - 3} more" if len(summary.rejected) > 3 else ""
        return NothingToDoError(
            f"no file fits --layout {options.naming.layout.template!r}: {names}{more}",
            hint=f"the template is matched with paths relative to {where}",
        )
    if summary.rejected:
        return NothingToDoError(
            f"{summary.rejected[0].path} {summary.rejected[0].reason}", hint="check the permissions of the files"
        )
    return NothingToDoError(
        f"no test artifact in {where} ({summary.skipped} other files)",
        hint="give the folder where the CI put its JUnit XML files and logs",
    )
