"""No input makes anything but rows or a refusal."""

import io
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flakehunter.ingest.archives import archive_kind, members
from flakehunter.ingest.artifact import ArtifactReader, Refused
from flakehunter.ingest.limits import DEFAULT_LIMITS
from flakehunter.ingest.sources import Kind

FIXTURES = Path(__file__).parent / "fixtures"
XML = (FIXTURES / "vitest/junit.xml").read_bytes()
LOG = (FIXTURES / "pytest/xunit2-v.log").read_bytes()
QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])

damage = st.lists(st.tuples(st.integers(0, 8000), st.binary(max_size=6)), min_size=1, max_size=4)


def damaged(data: bytes, where: list[tuple[int, bytes]]) -> bytes:
    for place, piece in where:
        place %= len(data)
        data = data[:place] + piece + data[place + len(piece) :]
    return data


def read(kind: Kind, data: bytes) -> None:
    reader = ArtifactReader(kind, io.BytesIO(data), DEFAULT_LIMITS)
    try:
        for batch in reader.batches():
            assert all(row[0] < len(batch.tests) for row in batch.results)
    except Refused:
        pass


@QUICK
@given(damage)
def test_damaged_junit_files(where: list[tuple[int, bytes]]) -> None:
    read(Kind.JUNIT, damaged(XML, where))


@QUICK
@given(damage)
def test_damaged_logs(where: list[tuple[int, bytes]]) -> None:
    read(Kind.LOG, damaged(LOG, where))


@QUICK
@given(st.binary(max_size=400))
def test_any_bytes(data: bytes) -> None:
    read(Kind.JUNIT, data)
    read(Kind.LOG, data)


@QUICK
@given(damage)
@pytest.mark.parametrize("kind", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_damaged_archives(kind: int, where: list[tuple[int, bytes]]) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", kind) as archive:
        archive.writestr("a.xml", XML)
        archive.writestr("b.log", LOG)
    data = damaged(stream.getvalue(), where)
    for member in members(io.BytesIO(data), archive_kind(data) or "zip", DEFAULT_LIMITS):
        assert member.content is not None or member.problem
