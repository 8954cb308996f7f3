"""From artifacts to rows: read those that nobody has read yet, and write them, whole ones in each transaction."""

import contextlib
import hashlib
import io
import itertools
import sys
from collections import deque
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from flakehunter.db.engine import open_database
from flakehunter.db.retry import is_busy, persistently
from flakehunter.db.rows import ArtifactRow, IssueRow, ReadArtifact, RunRow
from flakehunter.db.write import Writer
from flakehunter.errors import DatabaseError
from flakehunter.fanout.companion import Companion
from flakehunter.garbage import few_collections
from flakehunter.ingest.artifact import WHOLE, ArtifactReader, Parsed, Refused, parse
from flakehunter.ingest.behind import Behind
from flakehunter.ingest.beside import packing
from flakehunter.ingest.found import Found, IngestOptions, Observer, Rejected, Summary
from flakehunter.ingest.junit.suites import Memory
from flakehunter.ingest.runs import named_after_content
from flakehunter.ingest.sources import HEAD, Kind, Source

RESULTS_AT_ONCE = 50_000
"""Results of small files that are written in one transaction, and the pages of indexes with them once; so many take
some tenths of a second."""

RESULTS_BEHIND = (5_000, 10_000, 20_000, 40_000)
"""Results of the first transactions that a server works on while the next one is read, and of all later ones: the
sooner it has something to do, the better; and what a transaction costs beside its rows is a third of one of 20,000."""

FILES_BEHIND = 500
"""Files of a transaction on a server, which holds a lock for each run."""

RESULTS_A_ROLLUP = 400_000
"""Results after which a rollup is made of them; until then they are kept in memory, in 17 bytes each."""


def write_found(
    found: Iterable[tuple[Found, Parsed | None]],
    url: str,
    options: IngestOptions,
    summary: Summary,
    observe: Observer | None = None,
    beside: Companion | None = None,
) -> None:
    """Write artifacts into the database at `url`; what came of each is in `summary` when `observe` is called.

    Rollups are packed `beside`, where there is that.

    Raises:
        RemoteError: a service that a URL names fails.
        DatabaseError: the database cannot be written.
    """
    with contextlib.ExitStack() as stack:
        engine = persistently(lambda: open_database(url, create=True), of=is_busy)
        stack.callback(engine.dispose)
        stack.enter_context(few_collections())
        writer = stack.enter_context(Writer(engine, options.project, pack=packing(beside)))
        with Ingest(writer, options, summary, behind=True) as work:
            for (source, kind, run), parsed in found:
                work.take(source, kind, run, parsed)
                if observe is not None:
                    observe(source, summary)
        persistently(writer.finish)


Told = tuple[int, int | None, list[IssueRow]]
"""Results that an artifact brought, how many of them are new, or None where it was known, and its issues."""


class Ingest:
    """The state of one ingest: the writer, what is counted, and the runs of files that nobody named."""

    def __init__(
        self,
        writer: Writer,
        options: IngestOptions,
        summary: Summary,
        *,
        memory: Memory | None = None,
        known: frozenset[bytes] | None = None,
        behind: bool = False,
    ) -> None:
        """Begin; `memory` of other files, and hashes of artifacts that are `known`, may come from one before.

        With `behind` a server writes what was read while other files are being read.
        """
        self._writer, self._options, self._summary = writer, options, summary
        self._folder: Path | None = None
        self._folder_runs: dict[str, RunRow] = {}
        self._memory = memory or Memory()
        self._known = writer.known_hashes() if known is None else known
        self._waiting: list[ReadArtifact] = []
        self._waiting_results = self._waiting_bytes = 0
        self._behind: Behind[list[Told]] = Behind(threaded=behind and writer.on_server)
        self._sizes = iter(RESULTS_BEHIND if behind and writer.on_server else ())
        self._most_results = RESULTS_AT_ONCE
        self._next_size()
        self._most_files = FILES_BEHIND if writer.on_server else sys.maxsize

    def __enter__(self) -> Self:
        self._behind.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Write what has been read, also when the user interrupts; not when the database has refused."""
        with contextlib.ExitStack() as stack:
            stack.push(self._behind)
            if not isinstance(error, DatabaseError):
                self.write()

    def take(self, source: Source, kind: Kind, run: RunRow, parsed: Parsed | None = None) -> None:
        """Read one artifact, where nobody has yet, and write it, if it is not to wait for others."""
        self._summary.artifacts += 1
        if parsed is not None:
            self._take_parsed(source, run, parsed)
            return
        if kind is Kind.REFUSED:
            self._take_refused(source, run)
            return
        try:
            stream, size = _open(source)
        except OSError as error:
            self._summary.rejected.append(Rejected(source.shown, "", f"cannot be read: {error.strerror}"))
            return
        with stream:
            digest = _digest(stream)
            if size <= WHOLE and digest not in self._known:
                limits, repair = self._options.limits, self._options.keeps_damaged
                parsed = parse(kind, stream.read(), digest, limits, repair=repair, memory=self._memory)
                self._take_parsed(source, run, parsed)
            else:
                self._take_stream(source, kind, run, ArtifactRow(digest, source.shown, _word(kind), "", size), stream)

    def _take_parsed(self, source: Source, run: RunRow, parsed: Parsed) -> None:
        run = self._named(source, parsed.kind, run, parsed.digest)
        if self._counts_twice(source, parsed.kind, run):
            for batch in parsed.batches:
                batch.results = []
        row = ArtifactRow(parsed.digest, source.shown, _word(parsed.kind), parsed.format, parsed.size)
        self._wait(ReadArtifact(run, row, parsed.batches, parsed.issues, parsed.started_at))

    def _take_stream(self, source: Source, kind: Kind, run: RunRow, row: ArtifactRow, stream: BinaryIO) -> None:
        """Write a file that is large, or that may be known, while it is read."""
        self.write()
        run = self._named(source, kind, run, row.sha256)
        limits, repair = self._options.limits, self._options.keeps_damaged
        events_only = self._counts_twice(source, kind, run)

        def from_the_beginning() -> None:
            if self._writer.on_server and not repair:
                # Its tests would stay if it were found to be damaged after some of them.
                stream.seek(0)
                deque(ArtifactReader(kind, stream, limits, repair=False).batches(), maxlen=0)
            stream.seek(0)
            reader = ArtifactReader(kind, stream, limits, repair=repair, memory=Memory(Memory.FEW))
            reader.events_only = events_only
            self._write(run, row, reader)

        try:
            persistently(from_the_beginning)
        except Refused as refused:
            self._wait(ReadArtifact(run, row, issues=[IssueRow(refused.position, refused.reason, True)]))

    def _take_refused(self, source: Source, run: RunRow) -> None:
        """Record what cannot be read at all; its name and the reason stand for its content."""
        digest = hashlib.sha256(f"{source.relative}\0{source.problem}".encode("utf-8", "surrogatepass")).digest()
        row = ArtifactRow(digest, source.shown, "refused", "", 0)
        self._wait(ReadArtifact(named_after_content(run, digest), row, issues=[IssueRow("", source.problem, True)]))

    def _named(self, source: Source, kind: Kind, run: RunRow, digest: bytes) -> RunRow:
        """Name a run that nobody named after its JUnit file.

        A log belongs to the run of the JUnit file of the same name in its folder, or of the only one there.
        """
        if not run.commit:
            self._summary.unnamed += 1
        if run.external_id:
            return run
        if source.path.parent != self._folder:
            self._folder, self._folder_runs = source.path.parent, {}
        runs = self._folder_runs
        if kind is Kind.LOG and (source.path.stem in runs or len(runs) == 1):
            return runs.get(source.path.stem) or next(iter(runs.values()))
        named = named_after_content(run, digest)
        if kind is Kind.JUNIT:
            runs[source.path.stem] = named
        return named

    def _counts_twice(self, source: Source, kind: Kind, run: RunRow) -> bool:
        """Whether it is a log that may repeat what JUnit files say, without a name that tells which of them."""
        if kind is not Kind.LOG:
            return False
        if not self._options.naming.counts_log(source):
            return True
        return source.path.parent == self._folder and bool(self._folder_runs) and run not in self._folder_runs.values()

    def _wait(self, read: ReadArtifact) -> None:
        """Keep what was read until there is enough for a transaction."""
        self._waiting.append(read)
        self._waiting_results += sum(map(len, read.batches))
        self._waiting_bytes += read.row.size_bytes
        results, files = self._waiting_results >= self._most_results, len(self._waiting) >= self._most_files
        if results or files or self._waiting_bytes >= 2 * WHOLE:
            self._begin_writing()

    def write(self) -> None:
        """Write what is waiting, all in one transaction, and wait for the end of it."""
        self._begin_writing()
        self._behind.finish()

    def _begin_writing(self) -> None:
        waiting, self._waiting = self._waiting, []
        many = self._waiting_results >= self._most_results
        self._waiting_results = self._waiting_bytes = 0
        if waiting:
            self._next_size()
            self._behind.begin(
                lambda: self._write_surely(waiting, many=many), lambda told: self._count_all(waiting, told)
            )

    def _next_size(self) -> None:
        """Go on to the size of the next transaction; the last one stays."""
        self._most_results = min(RESULTS_AT_ONCE, next(self._sizes, self._most_results))

    def _write_surely(self, waiting: Sequence[ReadArtifact], *, many: bool) -> list[Told]:
        told = persistently(lambda: self._write_all(waiting, many=many))
        if len(self._writer.written) >= RESULTS_A_ROLLUP:
            persistently(self._writer.roll_up)
        return told

    def _count_all(self, written: Sequence[ReadArtifact], told: Sequence[Told]) -> None:
        for read, (results, new, issues) in zip(written, told, strict=True):
            self._count(read.row, results, new, issues)

    def _write_all(self, waiting: Sequence[ReadArtifact], *, many: bool) -> list[Told]:
        # Which tests a log brings is known only once its run is.
        of_files = (read.batches for read in waiting if read.row.kind == "junit")
        self._writer.insert_ahead(itertools.chain.from_iterable(of_files))
        with self._writer.transaction(waiting, many=many):
            return [self._write_read(read) for read in waiting]

    def _write_read(self, read: ReadArtifact) -> Told:
        """Write an artifact that was read."""
        with self._writer.artifact(read.run, read.row) as out:
            if out.known and any(issue.rejected for issue in read.issues):
                return 0, None, read.issues
            if out.known and not any(issue.rejected for issue in out.known_issues):
                return out.known_results(), None, out.known_issues
            if out.known:
                out.forget_refused()
            out.started_at(read.started_at)
            for batch in read.batches:
                out.add(batch)
            for issue in read.issues:
                out.add_issue(issue)
        return out.new_results, out.new_results, read.issues

    def _write(self, run: RunRow, row: ArtifactRow, reader: ArtifactReader) -> None:
        """Read a large artifact, or one that may be known, and write it in a transaction of its own."""
        with self._writer.artifact(run, row) as out:
            if out.known and not any(issue.rejected for issue in out.known_issues):
                known, issues = out.known_results(), out.known_issues
            else:
                if out.known:
                    out.forget_refused()
                known, issues = None, reader.issues
                for batch in reader.batches():
                    # What is known of a large file by now is only what its first lines say.
                    out.started_at(reader.started_at)
                    out.add(batch)
                    # It may be megabytes, and the next one is read now.
                    del batch
                for issue in reader.issues:
                    out.add_issue(issue)
                out.set_format(reader.format)
                out.started_at(reader.started_at)
        if known is None:
            self._count(row, out.new_results, out.new_results, issues)
        else:
            self._count(row, known, None, issues)

    def _count(self, row: ArtifactRow, results: int, new: int | None, issues: Sequence[IssueRow]) -> None:
        """Note what an artifact brought; `new` is None for one that was known before."""
        self._summary.results += results
        if new is None:
            self._summary.known_artifacts += 1
        else:
            self._summary.new_results += new
        for issue in issues:
            self._summary.rejected.append(Rejected(row.path, issue.position, issue.reason))


def _word(kind: Kind) -> str:
    """Return the word of `artifacts.kind`; an empty file is a JUnit file of which nothing was written."""
    return "log" if kind is Kind.LOG else "junit"


def _open(source: Source) -> tuple[BinaryIO, int]:
    """Open a file; small ones are read into memory at once, and what has been read of it as a whole not again."""
    if source.content is None and 0 < len(source.head) < HEAD:
        return io.BytesIO(source.head), len(source.head)
    stream = source.open()
    size = stream.seek(0, io.SEEK_END)
    stream.seek(0)
    if size > WHOLE:
        return stream, size  # type: ignore[return-value]
    with stream:
        data = stream.read(WHOLE + 1)
    return io.BytesIO(data), len(data)


def _digest(stream: BinaryIO) -> bytes:
    """Return the SHA-256 of a stream, and go back to its beginning."""
    digest = hashlib.file_digest(stream, "sha256").digest()  # type: ignore[arg-type]
    stream.seek(0)
    return digest
