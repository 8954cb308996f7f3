"""Hostile files are refused with one line each, at once, and in little memory."""

import io
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from flakehunter.cli.app import main
from flakehunter.ingest.artifact import ArtifactReader, Refused
from flakehunter.ingest.limits import DEFAULT_LIMITS, MIB, Limits
from flakehunter.ingest.pipeline import IngestOptions, ingest
from flakehunter.ingest.sources import Kind
from tests.databases import url_at

GOOD = '<testsuite name="s"><testcase classname="C" name="t"/></testsuite>'
LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))


def zipped(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return stream.getvalue()


def tarred(*members: tarfile.TarInfo) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for member in members:
            archive.addfile(member)
    return stream.getvalue()


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def linked(name: str, target: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        info = zipfile.ZipInfo(name)
        info.external_attr = 0o120777 << 16
        archive.writestr(info, target)
    return stream.getvalue()


def many(count: int) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for number in range(count):
            archive.writestr(f"{number}.xml", b"")
    return stream.getvalue()


BOMB = zipped({"bomb.xml": b" " * (12 << 20)})
HOSTILE: dict[str, tuple[bytes, str]] = {
    "laughs.xml": (f'<!DOCTYPE a [<!ENTITY l0 "lol">{LAUGHS}]><testsuite>&l9;</testsuite>'.encode(), "DOCTYPE"),
    "quadratic.xml": (
        f'<!DOCTYPE a [<!ENTITY x "{"x" * 100_000}">]><testsuite>{"&x;" * 10_000}</testsuite>'.encode(),
        "DOCTYPE",
    ),
    "external.xml": (
        b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><testsuite><testcase name="&x;"/></testsuite>',
        "DOCTYPE",
    ),
    "parameter.xml": (b'<!DOCTYPE a [<!ENTITY % x SYSTEM "http://127.0.0.1:1/x"> %x;]><testsuite/>', "DOCTYPE"),
    "dtd.xml": (b'<!DOCTYPE testsuite SYSTEM "http://127.0.0.1:1/junit.dtd"><testsuite/>', "DOCTYPE"),
    "dtd-utf16.xml": ('<?xml version="1.0"?><!DOCTYPE a []><testsuite/>'.encode("utf-16"), "DOCTYPE"),
    "deep.xml": (b"<testsuite>" * 10_000, "nested deeper than 200"),
    "deeper.xml": (b"<testsuite>" * 1_000_000, "nested deeper than 200"),
    "closed.xml": (
        b"<testsuites>" + b"<testsuite>" * 5000 + b"</testsuite>" * 5000 + GOOD.encode() + b"</testsuites>",
        "nested deeper than 200",
    ),
    "groups.xml": (b"<testsuites>" * 5000 + b"</testsuites>" * 5000, "nested deeper than 200"),
    "inside.xml": (b"<testsuite><testcase><a>" + b"<b>" * 50_000 + b"</b>" * 50_000, "nested deeper than 200"),
    "text.xml": (b"<testsuite><testcase><failure>" + b"x" * (6 << 20), "larger than"),
    "attribute.xml": (b'<testsuite><testcase name="' + b"x" * (6 << 20), "larger than"),
    "prolog.xml": (b"<!--" + b"x" * (3 << 20) + b"--><testsuite/>", "no root element in the first"),
    "bomb.zip": (BOMB, "unpacks to more than 250 times"),
    "bombs.zip": (zipped({"a.zip": zipped({"b.zip": BOMB})}), "unpacks to more than 250 times"),
    "nested.zip": (zipped({"a.zip": zipped({"b.zip": zipped({"c.zip": BOMB})})}), "nested deeper than 3"),
    "up.zip": (zipped({"../../up.xml": GOOD.encode()}), "leads out of the archive"),
    "up.tar": (tarred(special("a/../../up.xml", tarfile.REGTYPE)), "leads out of the archive"),
    "absolute.tar": (tarred(special("/etc/up.xml", tarfile.REGTYPE)), "leads out of the archive"),
    "device-name.zip": (zipped({"aux.xml": GOOD.encode()}), "that of a device"),
    "symlink.zip": (linked("link.xml", "/etc/passwd"), "a symbolic link"),
    "symlink.tar": (tarred(special("link.xml", tarfile.SYMTYPE, "/etc/passwd")), "a symbolic link"),
    "hardlink.tar": (tarred(special("link.xml", tarfile.LNKTYPE, "/etc/passwd")), "a symbolic link"),
    "device.tar": (tarred(special("zero.xml", tarfile.CHRTYPE)), "a device or pipe"),
    "pipe.tar": (tarred(special("pipe.xml", tarfile.FIFOTYPE)), "a device or pipe"),
    "many.zip": (many(3000), "more than 2000 entries"),
}


# Not wait4's ru_maxrss: over fork and exec the kernel carries what the parent, pytest, has used into it.
TELLS_ITS_PEAK = """
import re
from pathlib import Path
from flakehunter.cli.app import main
code = main()
print(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
raise SystemExit(code)
"""


@pytest.mark.slow
def test_hostile_files_are_refused_in_little_memory(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name, (data, _) in HOSTILE.items():
        (folder / name).write_bytes(data)
    (folder / "zz-good.xml").write_text(GOOD)
    command = [
        sys.executable,
        "-c",
        TELLS_ITS_PEAK,
        "ingest",
        str(folder),
        "--run-id",
        "1",
        "--db",
        url_at(tmp_path / "a.db"),
    ]
    done = subprocess.run(
        [*command, "--max-entries", "2000", "--max-element", "4"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0
    assert f"1 result, 1 of them new; {len(HOSTILE)} files with issues" in done.stderr
    assert int(done.stdout.split()[-1]) < 300 * 1024


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_with_one_line(name: str, tmp_path: Path) -> None:
    data, reason = HOSTILE[name]
    (tmp_path / name).write_bytes(data)
    options = IngestOptions(limits=Limits(archive_entries=2000, xml_element=4 << 20))
    summary = ingest([tmp_path / name], url_at(tmp_path / "a.db"), options)
    assert summary.new_results == 0
    assert len(summary.rejected) == 1
    assert reason in summary.rejected[0].reason
    assert "\n" not in summary.rejected[0].reason


class Endless(io.RawIOBase):
    """Gives a start, then one byte for ever, and counts what was taken."""

    def __init__(self, start: bytes, rest: bytes) -> None:
        self._start, self._rest, self.taken = start, rest, 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data, self._start = (self._start[:size], self._start[size:]) if self._start else (self._rest * size, b"")
        self.taken += len(data)
        if self.taken > 1 << 30:
            pytest.fail("a gigabyte was read")
        return data


@pytest.mark.parametrize(
    "start",
    [b"<testsuite><testcase><failure>", b"<testsuite><system-out><![CDATA[", b'<testsuite name="', b"<testsuite><!--"],
    ids=["text", "cdata", "attribute", "comment"],
)
def test_a_text_without_end_is_refused_after_the_limit(start: bytes) -> None:
    stream = Endless(start, b"x")
    # expat looks at an open comment from its beginning with each chunk: of 32 MB that takes many seconds.
    limits = replace(DEFAULT_LIMITS, xml_element=8 * MIB)
    reader = ArtifactReader(Kind.JUNIT, stream, limits)  # type: ignore[arg-type]
    with pytest.raises(Refused, match=r"larger than|first"):
        list(reader.batches())
    assert stream.taken < 2 * limits.xml_element


def test_limits_are_options_of_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "deep.xml").write_text("<testsuite>" * 6 + '<testcase name="t"/>' + "</testsuite>" * 6)
    (tmp_path / "two.zip").write_bytes(zipped({"a.xml": GOOD.encode(), "b.xml": GOOD.encode()}))
    arguments = ["ingest", str(tmp_path), "--db", url_at(tmp_path / "a.db"), "--max-depth", "4", "--max-entries", "1"]
    assert main(arguments) == 0
    error = capsys.readouterr().err
    assert "nested deeper than 4" in error
    assert "more than 1 entries" in error
    assert main(["ingest", str(tmp_path), "--max-ratio", "0"]) == 2
