"""Scan files and folders: find the source, leave out what cannot matter, judge the rest, in parallel."""
# ruff: noqa: PTH100, PTH114, PTH116, PTH118, PTH123 - these are called for every file of large trees, and twice as fast

import contextlib
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from flakehunter.errors import NothingToDoError, UsageError
from flakehunter.fanout import open_pool, usable_cpus
from flakehunter.model import Mechanism
from flakehunter.scan import languages
from flakehunter.scan.findings import Finding, Report, Skipped
from flakehunter.scan.kinds import words
from flakehunter.scan.words import ENDS_BY_PART, HAS_BY_PART, MAY_HAVE, MAY_HAVE_WORDS, OF_SHELLS, has_any

MAX_BYTES = 2_000_000
"""Larger files are generated or data; no hand-written test comes near."""
PARALLEL_BYTES = 4_000_000
"""Below this much source, starting workers costs more than it saves."""
CHUNK_BYTES = 1_000_000
MAX_QUOTE_BYTES = 500
"""Longer lines are quoted up to here."""
MAX_LINE_BYTES = 20_000
"""A file with a longer line is minified or generated: nobody wrote it, and nobody could read a finding in it."""
LEFT_OUT = words(
    ".git .hg .svn node_modules __pycache__ .venv venv .tox .nox .mypy_cache .ruff_cache .pytest_cache target "
    ".gradle .idea bower_components .eggs .next .cache"
)
"""Folders that hold no source of the project; one that is given as a path is scanned."""

_SILENCE = re.compile(rb"(?:#|//|/\*|--)[^\n]*?flakehunter:\s*ignore(?:\[([\w\s,-]*)\])?")


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file to scan: where it is, how it is shown, its size."""

    path: str
    shown: str
    size_bytes: int
    text: bytes | None = None
    """What it holds, where a worker on another machine cannot read it."""


def scan(
    paths: Sequence[Path],
    *,
    jobs: int | None = None,
    scheduler: str | None = None,
    mechanisms: frozenset[Mechanism] | None = None,
    possible: bool = False,
) -> Report:
    """Scan every source file at or below `paths`; findings come sorted by file and line.

    `jobs` is the number of processes (default: one a CPU); `scheduler` is the address of a fleet that does it instead,
    and is sent the text of the files; `mechanisms` limits what is reported. Without `possible`, findings that little
    speaks for are only counted.

    Raises:
        UsageError: a path does not exist, or there is no fleet at the address.
        NothingToDoError: no file of a known language is at or below the paths.
    """
    skipped: list[Skipped] = []
    files = list(find_files(paths, skipped))
    if not files:
        raise NothingToDoError(
            "no source file at or below " + ", ".join(str(p) for p in paths),
            hint="scan reads Python, JavaScript, TypeScript, Go, Java, Kotlin, Rust, Ruby, C, C++, C#, bash and PHP",
        )
    report = Report(skipped=skipped)
    total = sum(file.size_bytes for file in files)
    jobs = jobs or usable_cpus()
    if scheduler is None and (jobs == 1 or total < PARALLEL_BYTES):
        report.add(scan_files(files))
    else:
        chunks = _chunks(files) if scheduler is None else map(_with_text, _chunks(files))
        with open_pool(scheduler, jobs) as pool:
            outcomes = pool.map(_scan_chunk, enumerate(chunks), name=lambda chunk: chunk[1][0].shown)
            parts = {outcome.item[0]: outcome.value for outcome in outcomes}
        for number in range(len(parts)):  # in the order of the files, whoever was ready first
            report.add(parts[number])
    if mechanisms is not None:
        report.findings = [finding for finding in report.findings if finding.mechanism in mechanisms]
    if not possible:
        report.held_back = len(report.findings) - len(report.likely)
        report.findings = report.likely
    report.findings.sort()
    return report


def find_files(paths: Iterable[Path], skipped: list[Skipped]) -> Iterator[SourceFile]:
    """Yield the source files at or below `paths`, each once; what is left out by size goes to `skipped`."""
    seen: set[str] = set()
    for path in paths:
        if not path.exists():
            raise UsageError(f"no such file or folder: {path}", hint="give files or folders with test source")
        if path.is_file():
            yield from _file(
                str(path), shown_path(str(path)), os.path.realpath(path), path.stat().st_size, seen, skipped
            )
            continue
        for folder, folders, names in os.walk(path):
            folders[:] = sorted(name for name in folders if name not in LEFT_OUT)
            real, shown = os.path.realpath(folder), shown_path(folder)
            shown = "" if shown == "." else shown.rstrip("/") + "/"
            for name in sorted(names):
                if not languages.has_suffix(name) and "." in name:
                    continue
                full = os.path.join(folder, name)
                try:
                    status = os.stat(full)
                except OSError as error:
                    skipped.append(Skipped(full, error.strerror or str(error)))
                    continue
                if not languages.has_suffix(name) and not (status.st_mode & 0o111 and status.st_size < MAX_BYTES):
                    continue
                found = os.path.realpath(full) if os.path.islink(full) else os.path.join(real, name)
                yield from _file(full, shown + name, found, status.st_size, seen, skipped)


def _file(path: str, shown: str, real: str, size: int, seen: set[str], skipped: list[Skipped]) -> Iterator[SourceFile]:
    if real in seen:
        return
    seen.add(real)
    if size > MAX_BYTES:
        skipped.append(Skipped(shown, f"{size / 1e6:.1f} MB is too large for test source"))
        return
    yield SourceFile(path, shown, size)


def shown_path(path: str) -> str:
    """Return how a path is shown: relative to the working directory where it is below it, with `/`."""
    absolute = os.path.abspath(path)
    below = os.path.relpath(absolute)
    return (absolute if below.startswith("..") else below).replace(os.sep, "/")


def _chunks(files: list[SourceFile]) -> Iterator[list[SourceFile]]:
    chunk: list[SourceFile] = []
    size = 0
    for file in files:
        chunk.append(file)
        size += file.size_bytes
        if size >= CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _with_text(files: Sequence[SourceFile]) -> list[SourceFile]:
    """Read files; one that cannot be read stays as it is, for who scans it to say so."""
    read = []
    for file in files:
        with contextlib.suppress(OSError):
            file = replace(file, text=_read(file))
        read.append(file)
    return read


def _read(file: SourceFile) -> bytes:
    if file.text is not None:
        return file.text
    with open(file.path, "rb", buffering=0) as stream:
        return stream.read()


def _scan_chunk(chunk: tuple[int, Sequence[SourceFile]]) -> Report:
    return scan_files(chunk[1])


def scan_files(files: Sequence[SourceFile]) -> Report:
    """Scan `files` in this process."""
    report = Report()
    for file in files:
        try:
            source = _read(file)
        except OSError as error:
            report.skipped.append(Skipped(file.shown, error.strerror or str(error)))
            continue
        spec = languages.of_file(file.path, source[:128])
        if spec is None:
            continue
        report.files += 1
        report.size_bytes += len(source)
        if b"\0" in source[:8192]:
            report.skipped.append(Skipped(file.shown, "binary"))
            continue
        if may_matter(source) or (spec.name in OF_SHELLS and has_any(source, OF_SHELLS[spec.name])):
            if len(source) > MAX_LINE_BYTES and max(map(len, source.split(b"\n"))) > MAX_LINE_BYTES:
                report.skipped.append(Skipped(file.shown, f"minified: a line is longer than {MAX_LINE_BYTES:,} bytes"))
                continue
            try:
                _scan_one(file, source, report)
            except Exception as error:  # one file that trips the rules must not cost the findings of all others
                report.failed.append(Skipped(file.shown, f"{type(error).__name__}: {error}"))
    return report


def may_matter(source: bytes) -> bool:
    """Whether a file has both a word that ends processes and one that has them; cheap enough for every file."""
    if not has_any(source, ENDS_BY_PART):
        return False
    if has_any(source, HAS_BY_PART):
        return True
    return any(word in source for word in MAY_HAVE_WORDS) and MAY_HAVE.search(source) is not None


def _scan_one(file: SourceFile, source: bytes, report: Report) -> None:
    from flakehunter.scan.module import Module
    from flakehunter.scan.rules import judge

    spec = languages.of_file(file.path, source[:128])
    if spec is None:
        return
    module = Module(Path(file.path), spec, source)
    report.parsed += 1
    if module.has_errors:
        report.broken.append(file.shown)
    lines = source.split(b"\n")
    spawned = module.spawned()
    found: set[tuple[Mechanism, int, int]] = set()
    told: set[tuple[Mechanism, int]] = set()
    for unit in module.units():
        for flaw in judge(unit, module.find, spawned=spawned):
            # What set-up does wrong is told once, and not for each test that it runs before.
            outside = unit.hooks and not unit.line <= flaw.signal_line <= unit.end_line
            key = (flaw.mechanism, flaw.signal_line, 0 if outside else flaw.look_line)
            if key in found or (outside and (flaw.mechanism, flaw.signal_line) in told):
                continue
            found.add(key)
            told.add((flaw.mechanism, flaw.signal_line))
            if _silenced(lines, flaw.mechanism, flaw.signal_line, flaw.look_line):
                report.silenced += 1
                continue
            report.findings.append(
                Finding(
                    file=file.shown,
                    look_line=flaw.look_line,
                    signal_line=flaw.signal_line,
                    mechanism=flaw.mechanism,
                    function=unit.name,
                    language=unit.language,
                    message=flaw.message,
                    signal_source=_quote(lines, flaw.signal_line),
                    look_source=_quote(lines, flaw.look_line),
                    confidence=flaw.confidence,
                )
            )


def _quote(lines: list[bytes], line: int) -> str:
    return lines[line - 1][:MAX_QUOTE_BYTES].decode("utf-8", "replace").rstrip() if 0 < line <= len(lines) else ""


def _silenced(lines: list[bytes], mechanism: Mechanism, *numbers: int) -> bool:
    """Whether a comment on one of the lines, or alone on the line above, says `flakehunter: ignore[mechanism]`."""
    for number in numbers:
        above = lines[number - 2].strip() if number >= 2 else b""
        candidates = [lines[number - 1]] if 0 < number <= len(lines) else []
        if above.startswith((b"#", b"//", b"/*")):
            candidates.append(above)
        for line in candidates:
            found = _SILENCE.search(line)
            if found and (found[1] is None or mechanism.value in found[1].decode().replace(",", " ").split()):
                return True
    return False
