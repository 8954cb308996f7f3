"""Artifacts inside of archives are read; hostile and broken ones are refused with one line each."""

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from backports import zstd

from flakehunter.db.rows import RunRow
from flakehunter.ingest.layout import compile_layout
from flakehunter.ingest.limits import Limits
from flakehunter.ingest.pipeline import IngestOptions, Summary, ingest
from flakehunter.ingest.runs import RunNaming
from tests.databases import url_at

Query = Callable[..., list[tuple[Any, ...]]]
XML = b'<testsuite name="s"><testcase classname="C" name="%s" time="0.1"/></testsuite>'
RUN = IngestOptions(naming=RunNaming(RunRow(external_id="1", commit="abc")))


def zipped(files: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return stream.getvalue()


def tarred(files: dict[str, bytes], links: dict[str, str] | None = None) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        for name, target in (links or {}).items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            archive.addfile(info)
    return stream.getvalue()


@pytest.fixture
def take(tmp_path: Path) -> Callable[..., Summary]:
    """Return a function that ingests one file of the given name and content."""

    def run(name: str, data: bytes, options: IngestOptions = RUN) -> Summary:
        folder = tmp_path / "in"
        folder.mkdir(exist_ok=True)
        (folder / name).write_bytes(data)
        return ingest([folder], url_at(tmp_path / "a.db"), options)

    return run


FILES = {"reports/a.xml": XML % b"a", "reports/deep/b.xml": XML % b"b", "notes.md": b"# words\n"}


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.zip", zipped(FILES)),
        ("stored.zip", zipped(FILES, zipfile.ZIP_STORED)),
        ("a.tar", tarred(FILES)),
        ("a.tar.gz", gzip.compress(tarred(FILES))),
        ("a.tar.bz2", bz2.compress(tarred(FILES))),
        ("a.tar.xz", lzma.compress(tarred(FILES))),
        ("a.tar.zst", zstd.compress(tarred(FILES))),
        ("nested.zip", zipped({"inner.zip": zipped(FILES)})),
        ("mixed.tar", tarred({"a.zip": zipped(FILES)})),
        ("without-a-suffix", zipped(FILES)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_kind_of_archive_is_read(take: Callable[..., Summary], name: str, data: bytes) -> None:
    summary = take(name, data)
    assert (summary.artifacts, summary.new_results, summary.rejected, summary.skipped) == (2, 2, [], 1)
    assert take(name, data).new_results == 0


def test_a_compressed_file_is_read_as_what_it_holds(take: Callable[..., Summary], tmp_path: Path, query: Query) -> None:
    assert take("junit.xml.gz", gzip.compress(XML % b"a")).new_results == 1
    paths = query(url_at(tmp_path / "a.db"), "SELECT path FROM artifacts")
    assert paths == [(str(tmp_path / "in" / "junit.xml"),)]


def test_the_layout_goes_on_inside_of_an_archive(take: Callable[..., Summary], tmp_path: Path, query: Query) -> None:
    options = IngestOptions(naming=RunNaming(layout=compile_layout("{run_id}.zip/{job}/**")))
    take("77.zip", zipped({"linux/junit.xml": XML % b"a", "mac/junit.xml": XML % b"a"}), options)
    rows = query(url_at(tmp_path / "a.db"), "SELECT external_id, job FROM runs ORDER BY job")
    assert rows == [("77", "linux"), ("77", "mac")]


def long_header() -> bytes:
    """A pax header that says it is 3 MiB long: the standard library would read it into memory as a whole."""
    info = tarfile.TarInfo("pax")
    info.type, info.size = tarfile.XHDTYPE, 3 << 20
    return info.tobuf(tarfile.USTAR_FORMAT) + bytes(3 << 20)


def sparse() -> bytes:
    """A GNU sparse file of 1 TiB that takes one block in the archive."""
    info = tarfile.TarInfo("zeros.xml")
    info.type = tarfile.GNUTYPE_SPARSE
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    header[386:398], header[398:410] = b"00000000000\0", b"00000000000\0"
    header[483:495] = b"\x80\0\0\0" + (1 << 40).to_bytes(8, "big")
    header[148:156] = b"        "
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + bytes(1024)


def test_the_steps_of_a_github_log_do_not_repeat_the_whole(
    take: Callable[..., Summary], tmp_path: Path, query: Query
) -> None:
    line = b"2026-05-01T10:00:00.0000000Z sent SIGKILL to pid 7\n"
    logs = {"0_unit.txt": line, "unit/1_Set up job.txt": b"", "unit/2_Test.txt": line, "lint/1_Lint.txt": line + line}
    assert take("logs.zip", zipped(logs)).rejected == []
    paths = query(url_at(tmp_path / "a.db"), "SELECT path FROM artifacts ORDER BY path")
    folder = tmp_path / "in" / "logs.zip"
    assert paths == [(str(folder / "0_unit.txt"),), (str(folder / "lint/1_Lint.txt"),)], (
        "of lint only the step is there"
    )


def bomb(megabytes: int) -> bytes:
    return zipped({"bomb.xml": b" " * (megabytes << 20)})


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("up.zip", lambda: zipped({"../up.xml": XML % b"x"}), "leads out of the archive"),
        ("root.zip", lambda: zipped({"/etc/x.xml": XML % b"x"}), "leads out of the archive"),
        ("drive.zip", lambda: zipped({"C:\\x.xml": XML % b"x"}), "leads out of the archive"),
        ("device.zip", lambda: zipped({"a/NUL.xml": XML % b"x"}), "that of a device"),
        ("link.tar", lambda: tarred({}, {"link.xml": "/etc/passwd"}), "a symbolic link"),
        ("cut.zip", lambda: zipped(FILES)[:-30], "the archive is broken"),
        ("cut.tar.gz", lambda: gzip.compress(tarred(FILES))[:-40], "the archive is broken"),
        ("rubbish.tar.xz", lambda: b"\xfd7zXZ\0" + b"rubbish" * 50, "the archive is broken"),
        ("rubbish.zst", lambda: b"\x28\xb5\x2f\xfd" + b"x" * 50, "the archive is broken"),
        ("bomb.tar.zst", lambda: zstd.compress(tarred({"a.bin": bytes(40 << 20)})), "unpacks to more than 250 times"),
        ("header.tar", long_header, "the archive is broken: a header of"),
        ("zeros.tar", sparse, "a sparse file"),
        ("bomb.zip", lambda: bomb(40), "unpacks to more than 250 times"),
        ("bomb.zip.gz", lambda: gzip.compress(bomb(40)), "unpacks to more than 250 times"),
        ("bomb.tar.gz", lambda: gzip.compress(tarred({"a.bin": bytes(40 << 20)})), "unpacks to more than 250 times"),
        (
            "deep.zip",
            lambda: zipped({"b.zip": zipped({"c.zip": zipped({"d.zip": zipped(FILES)})})}),
            "nested deeper than 3",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and "." in value else "",
)
def test_hostile_and_broken_archives_are_refused(
    take: Callable[..., Summary], name: str, data: Callable[[], bytes], reason: str
) -> None:
    summary = take(name, data())  # packed here, and not by every worker that collects
    assert summary.new_results in (0, 2)
    assert len(summary.rejected) == 1
    assert reason in summary.rejected[0].reason


def test_limits_of_archives_can_be_set(take: Callable[..., Summary]) -> None:
    few = replace(RUN, limits=Limits(archive_entries=2))
    assert "more than 2 entries" in take("a.zip", zipped(FILES), few).rejected[0].reason
    assert "more than 2 entries" in take("a.tar", tarred(FILES), few).rejected[-1].reason
    small = replace(RUN, limits=Limits(archive_bytes=100))
    assert "more than 100 bytes" in take("b.zip", zipped(FILES), small).rejected[-1].reason


def test_a_directory_of_a_million_entries_is_refused_unread(take: Callable[..., Summary]) -> None:
    end = b"PK\x05\x06" + bytes(4) + (0xFFFF).to_bytes(2, "little") * 2 + (400_000_000).to_bytes(4, "little") + bytes(6)
    summary = take("many.zip", b"PK\x03\x04" + bytes(100) + end)
    assert "more than 200000 entries" in summary.rejected[0].reason


def test_a_broken_archive_is_recorded_once(take: Callable[..., Summary], tmp_path: Path, query: Query) -> None:
    for _ in range(2):
        assert len(take("cut.zip", zipped(FILES)[:-30]).rejected) == 1
    rows = query(url_at(tmp_path / "a.db"), "SELECT count(*), min(reason) FROM artifact_issues")
    assert rows[0][0] == 1


def test_standard_input_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stdin:
        buffer = io.BytesIO(XML % b"a")

    monkeypatch.setattr("sys.stdin", Stdin())
    summary = ingest([Path("-")], url_at(tmp_path / "a.db"), RUN)
    assert summary.new_results == 1


def test_patterns_are_expanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "a.xml").write_bytes(XML % b"a")
    (tmp_path / "r" / "b.txt").write_bytes(XML % b"b")
    assert ingest([Path("**/*.xml")], url_at(tmp_path / "a.db"), RUN).new_results == 1
