"""Find the files below the paths a user gives, and say by their first kilobytes what they are."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from flakehunter.errors import UsageError
from flakehunter.ingest.logs.reading import looks_like_log

HEAD = 64 * 1024
"""Bytes looked at to tell what a file is."""


class Kind(StrEnum):
    """What a file is read as; the words of `artifacts.kind`."""

    JUNIT = "junit"
    LOG = "log"
    EMPTY = "empty"
    OTHER = "other"
    """No artifact of a test run."""


@dataclass(frozen=True, slots=True)
class Source:
    """One file: where it is, its path relative to what the user gave, and whether he named it himself."""

    path: Path
    relative: str
    named: bool

    @property
    def shown(self) -> str:
        """The path as it is told to the user and stored."""
        return str(self.path)


_SKIPPED_FOLDERS = frozenset({".git", ".hg", ".svn", "node_modules", ".venv", "__pycache__", ".flakehunter", ".tox"})


def find_sources(paths: Sequence[Path]) -> Iterator[Source]:
    """Yield the files of `paths`: files as they are, folders with everything below them, each file once, in order.

    Symbolic links to folders are not followed: they may lead out of the folder, or round in it.

    Raises:
        UsageError: a path does not exist or cannot be read.
    """
    seen: set[Path] = set()
    for path in paths:
        if path.is_dir():
            for file in _files_below(path):
                if file not in seen:
                    seen.add(file)
                    yield Source(file, file.relative_to(path).as_posix(), False)
        elif path.exists():
            if path not in seen:
                seen.add(path)
                yield Source(path, path.name, True)
        else:
            raise UsageError(f"{path} does not exist", hint="give files or folders that the CI wrote")


def _files_below(folder: Path) -> Iterator[Path]:
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise UsageError(f"cannot read folder {folder}: {error.strerror}", hint="check its permissions") from error
    # JUnit files of a folder come before its logs, which are tied to the tests that they bring.
    files = [entry for entry in entries if entry.is_file()]
    yield from sorted(files, key=lambda entry: (entry.suffix.lower() != ".xml", entry.name))
    for entry in entries:
        if entry.is_dir() and not entry.is_symlink() and entry.name not in _SKIPPED_FOLDERS:
            yield from _files_below(entry)


_TEXT_SUFFIXES = frozenset({".xml", ".log", ".txt", ".out"})
_ROOT = re.compile(rb"<([A-Za-z_][\w.-]*:)?([A-Za-z_][\w.-]*)[\s/>]")
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
    body = re.sub(rb"<\?.*?\?>|<!--.*?-->|<!DOCTYPE[^\[>]*(?:\[.*?\])?\s*>", b"", head, flags=re.DOTALL)
    found = _ROOT.search(body)
    return found[2] if found else b""
