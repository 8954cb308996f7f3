"""Find the files below the paths a user gives, and say by their first kilobytes what they are."""

import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import IO

from flakehunter.errors import UsageError
from flakehunter.ingest import runtable
from flakehunter.ingest.archives import SPOOL, archive_kind, members
from flakehunter.ingest.limits import DEFAULT_LIMITS, Limits
from flakehunter.ingest.remote import remote_files

HEAD = 64 * 1024
"""Bytes looked at to tell what a file is."""


class Kind(StrEnum):
    """What a file is read as; the words of `artifacts.kind`."""

    JUNIT = "junit"
    LOG = "log"
    EMPTY = "empty"
    REFUSED = "refused"
    """It cannot be read; its `problem` says why."""
    OTHER = "other"
    """No artifact of a test run."""


@dataclass(frozen=True, slots=True)
class Source:
    """One file: where it is, its path relative to what the user gave, and whether he named it himself."""

    path: Path
    relative: str
    named: bool
    content: IO[bytes] | None = None
    """What to read instead of the path: a member of an archive, or standard input."""
    problem: str = ""
    """Why it cannot be read."""
    head: bytes = b""
    """Its first kilobytes, where somebody has read them already."""
    root: Path | None = None
    """The folder that `relative` begins at; None for what does not lie on this machine."""
    url: str = ""
    """Where it was fetched from."""

    @property
    def shown(self) -> str:
        """The path as it is told to the user and stored."""
        return self.url or str(self.path)

    def open(self) -> IO[bytes]:
        """Open the file, at its beginning."""
        if self.content is None:
            return self.path.open("rb")
        self.content.seek(0)
        return self.content


_SKIPPED_FOLDERS = frozenset({".git", ".hg", ".svn", "node_modules", ".venv", "__pycache__", ".flakehunter", ".tox"})


def find_sources(paths: Sequence[Path | str], max_bytes: int = DEFAULT_LIMITS.archive_bytes) -> Iterator[Source]:
    """Yield the files of `paths`: files as they are, folders with everything below them, each file once, in order.

    A string is a URL, which is fetched if it holds no more than `max_bytes`; use each file before the next is taken.
    Symbolic links to folders are not followed: they may lead out of the folder, or round in it.

    Raises:
        UsageError: a path does not exist or cannot be read.
        RemoteError: a service fails.
    """
    seen: set[Path] = set()
    for url in (path for path in paths if isinstance(path, str)):
        for where, relative, content in remote_files(url, max_bytes):
            with content:
                yield Source(Path(relative), relative, True, content, url=where)
    for path in _expanded([path for path in paths if isinstance(path, Path)]):
        if str(path) == "-":
            yield _standard_input()
        elif path.is_dir():
            for file in _files_below(path):
                if file not in seen:
                    seen.add(file)
                    yield Source(file, file.relative_to(path).as_posix(), False, root=path)
        elif path.exists():
            if path not in seen:
                seen.add(path)
                yield Source(path, path.name, True, root=path.parent)
        else:
            raise UsageError(f"{path} does not exist", hint="give files or folders that the CI wrote")


def _expanded(paths: Sequence[Path]) -> Iterator[Path]:
    """Resolve patterns such as `reports/**/*.xml`, which no shell does on Windows or inside of quotes."""
    for path in paths:
        if not path.exists() and any(character in str(path) for character in "*?["):
            base = Path(path.anchor) if path.is_absolute() else Path()
            found = sorted(base.glob(str(path.relative_to(path.anchor) if path.is_absolute() else path)))
            if not found:
                raise UsageError(f"no file matches {path}", hint="check the pattern, and quote it")
            yield from found
        else:
            yield path


def _standard_input() -> Source:
    content = tempfile.SpooledTemporaryFile(max_size=SPOOL)  # noqa: SIM115 (read by the pipeline, then dropped)
    shutil.copyfileobj(sys.stdin.buffer, content)
    content.seek(0)
    return Source(Path("-"), "-", True, content)


def unpacked(source: Source, limits: Limits) -> Iterator[Source]:
    """Yield the files of an archive in place of it, or the file itself; use each before the next is taken."""
    if source.problem:
        yield source
        return
    with source.open() as stream:
        head = stream.read(HEAD)
        kind = archive_kind(head)
        stream.seek(0)
        if not kind:
            if source.content is not None:
                yield replace(source, head=head)
        else:
            for member in members(stream, kind, limits):  # type: ignore[arg-type]
                path = source.path / member.name if member.name else _without_suffix(source.path, kind)
                relative = f"{source.relative}/{member.name}" if member.name else source.relative
                url = f"{source.url}/{member.name}" if source.url and member.name else source.url
                yield Source(path, relative, False, member.content, member.problem, root=source.root, url=url)
    if not kind and source.content is None:
        yield replace(source, head=head)


def _without_suffix(path: Path, kind: str) -> Path:
    """Return `junit.xml` for `junit.xml.gz`: what a compressed file holds has its name."""
    return path.with_suffix("") if path.suffix.lower() == f".{kind}" else path


def _files_below(folder: Path) -> Iterator[Path]:
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise UsageError(f"cannot read folder {folder}: {error.strerror}", hint="check its permissions") from error
    # JUnit files of a folder come before its logs, which are tied to the tests that they bring.
    files = [entry for entry in entries if entry.is_file() and entry.name not in runtable.NAMES]
    yield from sorted(files, key=lambda entry: (entry.suffix.lower() != ".xml", entry.name))
    for entry in entries:
        if entry.is_dir() and not entry.is_symlink() and entry.name not in _SKIPPED_FOLDERS:
            yield from _files_below(entry)


_TEXT_SUFFIXES = frozenset({".xml", ".log", ".txt", ".out"})
_ROOT = re.compile(rb"<([A-Za-z_][\w.-]*:)?([A-Za-z_][\w.-]*)[\s/>]")
_PLAIN_START = re.compile(rb"\s*(?:<\?[^<>]*\?>\s*)?<(?:[A-Za-z_][\w.-]*:)?([A-Za-z_][\w.-]*)[\s/>]")
_TEST_ROOTS = (b"testsuites", b"testsuite")
_OTHER_XML = frozenset(
    {
        b"coverage",
        b"report",
        b"checkstyle",
        b"project",
        b"html",
        b"svg",
        b"pmd",
        b"pmd-cpd",
        b"BugCollection",
        b"configuration",
        b"phpunit",
        b"suppressions",
        b"module",
        b"manifest",
        b"plist",
        b"lint",
    }
)
"""Roots of XML that no test wrote; below a folder they are passed over, named by the user they are refused."""


def kind_of(head: bytes, source: Source) -> Kind:
    """Say what a file is by its first kilobytes; its name decides only where those say nothing."""
    suffix = source.path.suffix.lower()
    if not head:
        return Kind.EMPTY if source.named or suffix in _TEXT_SUFFIXES else Kind.OTHER
    text = _without_bom(head)
    if _is_xml(text):
        root = _root_of(text)
        if not source.named and (root in _OTHER_XML or (root not in _TEST_ROOTS and suffix != ".xml")):
            return Kind.OTHER
        return Kind.JUNIT
    if suffix == ".xml":
        return Kind.JUNIT
    if b"\0" in text[:4096]:
        return Kind.OTHER
    # What reads logs takes a tenth of a second to be imported, and most histories have none.
    from flakehunter.ingest.logs.reading import looks_like_log

    if looks_like_log(text):
        return Kind.LOG
    if suffix in (".log", ".out") or re.search(r"console|stdio|output|\blog\b", source.path.name, re.IGNORECASE):
        return Kind.LOG
    return Kind.LOG if source.named else Kind.OTHER


def _without_bom(head: bytes) -> bytes:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return head.decode("utf-16", "replace").encode()
    return head.removeprefix(b"\xef\xbb\xbf")


def _is_xml(head: bytes) -> bool:
    start = head.lstrip()[:256]
    return start.startswith((b"<?xml", b"<!--", b"<!DOCTYPE")) or bool(_ROOT.match(start))


def _root_of(head: bytes) -> bytes:
    found = _PLAIN_START.match(head)
    if found:
        return found[1]
    body = re.sub(rb"<\?.*?\?>|<!--.*?-->|<!DOCTYPE[^\[>]*(?:\[.*?\])?\s*>", b"", head, flags=re.DOTALL)
    found = _ROOT.search(body)
    return found[2] if found else b""
