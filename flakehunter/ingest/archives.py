"""Artifacts inside of archives: zip and tar in all common compressions, archives in archives; never written to disk.

A member's name is only shown and matched with `--layout`, so a hostile one cannot write anywhere; it is refused all the
same, since no CI makes one. What a member may cost is counted while it is unpacked, whatever its header says.
"""

import bz2
import gzip
import importlib
import io
import lzma
import re
import struct
import sys
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any, BinaryIO

from flakehunter.ingest.limits import Limits

SPOOL = 8 << 20
"""Bytes of a member kept in memory; a longer one goes to an unnamed temporary file."""

_DEVICES = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?", re.IGNORECASE)


@dataclass(slots=True)
class Member:
    """One file of an archive: its name with that of the archives around it, and its content or why there is none."""

    name: str
    content: IO[bytes] | None
    problem: str = ""


class Budget:
    """What is left of the limits for one archive that the user gave, with everything inside of it."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.entries = limits.archive_entries
        self.bytes = limits.archive_bytes


class Exhausted(Exception):  # noqa: N818 (a finding about a file)
    """The archive is larger than the limits allow; nothing more of it is read."""


def archive_kind(head: bytes) -> str:
    """Return `zip`, `tar`, `gz`, `bz2`, `xz` or `zst` by a file's first bytes; empty for no archive."""
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "zip"
    for magic, kind in ((b"\x1f\x8b", "gz"), (b"BZh", "bz2"), (b"\xfd7zXZ\0", "xz"), (b"\x28\xb5\x2f\xfd", "zst")):
        if head.startswith(magic):
            return kind
    return "tar" if head[257:262] == b"ustar" else ""


def _broken() -> tuple[type[Exception], ...]:
    """Return what the readers of archives raise; asked for only once something was raised."""
    plain = (zipfile.BadZipFile, tarfile.TarError, lzma.LZMAError, zlib.error, EOFError, OSError, ValueError)
    return (*plain, _zstd().ZstdError)


def members(stream: BinaryIO, kind: str, limits: Limits) -> Iterator[Member]:
    """Yield the files of an archive, and of the archives in it; use each before the next is taken.

    What cannot be read is a member with a `problem`.
    """
    budget = Budget(limits)
    try:
        yield from _members(stream, kind, budget, "", 1)
    except Exhausted as error:
        yield Member("", None, str(error))


def _members(stream: IO[bytes], kind: str, budget: Budget, inside: str, depth: int) -> Iterator[Member]:
    if depth > budget.limits.archive_depth:
        yield Member(inside, None, f"archives are nested deeper than {budget.limits.archive_depth}")
        return
    readers = {"zip": _zip, "tar": _tar}
    try:
        for name, content, problem in readers.get(kind, _compressed)(stream, budget, kind):
            full = f"{inside}/{name}" if inside and name else inside or name
            if content is None:
                yield Member(full, None, problem)
                continue
            with content:
                inner = archive_kind(content.read(512))
                content.seek(0)
                if inner:
                    yield from _members(content, inner, budget, full, depth + 1)
                else:
                    yield Member(full, content)
    except _broken() as error:
        yield Member(inside, None, f"the archive is broken: {' '.join(str(error).split()) or type(error).__name__}")


_Entry = tuple[str, IO[bytes] | None, str]


def _zip(stream: IO[bytes], budget: Budget, _kind: str) -> Iterator[_Entry]:
    _check_directory(stream, budget)
    with zipfile.ZipFile(stream) as archive:
        whole = _whole_logs(archive.namelist())
        for info in archive.infolist():
            folder, _, name = info.filename.rpartition("/")
            if info.is_dir() or (folder in whole and re.fullmatch(r"(?:\d+_.*|system)\.txt", name)):
                continue
            problem = _problem(info.filename, budget)
            if not problem and (info.external_attr >> 16) & 0o170000 == 0o120000:
                problem = "a symbolic link"
            if not problem and info.flag_bits & 1:
                problem = "encrypted"
            if problem:
                yield info.filename, None, problem
                continue
            try:
                with archive.open(info) as member:
                    content = _unpack(member, budget, info.compress_size)
            except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, lzma.LZMAError) as error:
                yield info.filename, None, f"cannot be unpacked: {error}"
                continue
            yield info.filename, content, ""


def _whole_logs(names: list[str]) -> set[str]:
    """Return the folders whose files are there once more in one: GitHub's archive of a run's logs has both.

    `0_unit.txt` is the whole log of the job `unit`, and `unit/1_Set up job.txt` and so on are its steps.
    """
    tops = {found[1] for name in names if (found := re.fullmatch(r"-?\d+_([^/]+)\.txt", name))}
    return tops & {name.partition("/")[0] for name in names if re.fullmatch(r"[^/]+/\d+_[^/]*\.txt", name)}


def _check_directory(stream: IO[bytes], budget: Budget) -> None:
    """Refuse a zip whose directory alone would fill the memory: its end record tells number and size of entries."""
    size = stream.seek(0, io.SEEK_END)
    stream.seek(max(0, size - 66_000))
    tail = stream.read()
    stream.seek(0)
    place = tail.rfind(b"PK\x05\x06")
    if place < 0 or len(tail) < place + 22:
        raise zipfile.BadZipFile("it has no end record; the file is cut off")
    entries, length = struct.unpack("<HI", tail[place + 10 : place + 16])
    wide = tail.rfind(b"PK\x06\x06", 0, place)
    if wide >= 0 and len(tail) >= wide + 48:
        entries, length = struct.unpack("<QQ", tail[wide + 32 : wide + 48])
    # An entry takes at least 46 bytes, whatever the number says; 200 leave room for long names.
    if max(entries, length // 200) > budget.limits.archive_entries:
        raise Exhausted(f"more than {budget.limits.archive_entries} entries")


class _Header(tarfile.TarInfo):
    """Refuses long headers: the module reads a header's text into memory, however long the archive says it is."""

    _WITH_TEXT = frozenset(b"xgXLK")
    LIMIT = 1 << 20

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        if self.type[0] in self._WITH_TEXT and self.size > self.LIMIT:
            raise tarfile.ReadError(f"a header of {self.size} bytes")
        return super()._proc_member(archive)  # type: ignore[misc,no-any-return]


def _tar(stream: IO[bytes], budget: Budget, _kind: str) -> Iterator[_Entry]:
    with tarfile.open(fileobj=stream, mode="r|", tarinfo=_Header) as archive:
        for info in archive:
            # In a stream the list of members is of no use, and grows with every one.
            archive.members = []  # type: ignore[attr-defined]
            if info.isdir():
                continue
            problem = _problem(info.name, budget)
            if not problem and info.issparse():
                problem = "a sparse file"
            if not problem and not info.isreg():
                problem = "a symbolic link" if info.issym() or info.islnk() else "a device or pipe"
            member = archive.extractfile(info) if not problem else None
            if member is None:
                yield info.name, None, problem
                continue
            yield info.name, _unpack(member, budget, info.size), ""


def _compressed(stream: IO[bytes], budget: Budget, kind: str) -> Iterator[_Entry]:
    """One compressed file, which may be a tar."""
    size = stream.seek(0, io.SEEK_END)
    stream.seek(0)
    with _opened(stream, kind) as plain:
        head = plain.read(512)
        plain.seek(0)
        if archive_kind(head) == "tar":
            yield from _tar(_Counted(plain, budget, size), budget, "tar")  # type: ignore[arg-type]
        else:
            yield "", _unpack(plain, budget, size), ""


def _opened(stream: IO[bytes], kind: str) -> IO[bytes]:
    if kind == "gz":
        return gzip.GzipFile(fileobj=stream)  # type: ignore[return-value]
    if kind == "zst":
        return _zstd().ZstdFile(stream)  # type: ignore[no-any-return]
    return bz2.BZ2File(stream) if kind == "bz2" else lzma.LZMAFile(stream)


def _zstd() -> Any:
    """Return the module for zstd, which the standard library has since Python 3.14."""
    return importlib.import_module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")


class _Counted(io.RawIOBase):
    """Counts what comes out of a compressed tar, skipped members too: they cost time."""

    def __init__(self, stream: IO[bytes], budget: Budget, compressed: int) -> None:
        self._stream, self._budget, self._compressed, self._seen = stream, budget, compressed, 0

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self._seen += len(data)
        _check_ratio(self._seen, self._compressed, self._budget)
        return data


def _problem(name: str, budget: Budget) -> str:
    budget.entries -= 1
    if budget.entries < 0:
        raise Exhausted(f"more than {budget.limits.archive_entries} entries")
    parts = re.split(r"[\\/]", name)
    if name.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", name) or ".." in parts:
        return "its name leads out of the archive"
    if "\0" in name or any(_DEVICES.fullmatch(part) for part in parts):
        return "its name is that of a device"
    return ""


def _unpack(member: IO[bytes], budget: Budget, compressed: int) -> IO[bytes]:
    """Copy a member into memory or an unnamed file, and count what it takes."""
    content = tempfile.SpooledTemporaryFile(max_size=SPOOL)  # noqa: SIM115 (the caller closes it)
    try:
        seen = 0
        while data := member.read(1 << 20):
            seen += len(data)
            budget.bytes -= len(data)
            if budget.bytes < 0:
                raise Exhausted(f"more than {budget.limits.archive_bytes} bytes unpacked")
            _check_ratio(seen, compressed, budget)
            content.write(data)
    except BaseException:
        content.close()
        raise
    content.seek(0)
    return content


def _check_ratio(seen: int, compressed: int, budget: Budget) -> None:
    limit = budget.limits.archive_ratio
    if seen > SPOOL and seen > limit * max(compressed, 1):
        raise Exhausted(f"it unpacks to more than {limit} times its size")
