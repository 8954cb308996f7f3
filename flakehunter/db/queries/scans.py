"""Findings of `scan` in the database: tied to the tests that they stand in, replaced by every new scan."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from flakehunter.db.queries.tests import TestRow, list_tests
from flakehunter.db.schema import Finding
from flakehunter.model import EvidenceSource, Mechanism

CHUNK = 500
"""Rows a statement deletes or writes; SQLite allows 32,766 variables in one."""


@dataclass(frozen=True, slots=True)
class ScannedFinding:
    """One finding of the source: `file` as the scan shows it, the function it stands in, its weight in [0, 1]."""

    mechanism: Mechanism
    file: str
    function: str
    line: int
    score: float
    evidence: dict[str, Any]


def store_scan(
    connection: Connection, found: Sequence[ScannedFinding], *, project: str | None, scanned: Sequence[str]
) -> int:
    """Write the findings that stand in a known test and return how many that were.

    Findings of earlier scans in `scanned` (files, or folders with everything below) go first: a flaw that was mended
    is no evidence any more. Tests with parameters share the findings of their function.
    """
    tests = list_tests(connection, project=project)
    _forget(connection, [row.id for row in tests], scanned)
    rows = [
        {
            "test_case_id": test.id,
            "mechanism": one.mechanism,
            "source": EvidenceSource.SCAN,
            "file": one.file,
            "line": one.line,
            "score": one.score,
            "evidence": one.evidence,
            "created_at": datetime.now(UTC),
        }
        for one in found
        for test in tests
        if _is_in(one, test)
    ]
    for start in range(0, len(rows), CHUNK):
        connection.execute(insert(Finding), rows[start : start + CHUNK])
    return len({(row["file"], row["line"], row["mechanism"]) for row in rows})


def _forget(connection: Connection, tests: Sequence[int], scanned: Sequence[str]) -> None:
    known = set(tests)
    query = select(Finding.id, Finding.test_case_id, Finding.file).where(Finding.source == EvidenceSource.SCAN)
    old = [
        id_
        for id_, test, file in connection.execute(query)
        if test in known and any(place in (".", file) or file.startswith(place.rstrip("/") + "/") for place in scanned)
    ]
    for start in range(0, len(old), CHUNK):
        connection.execute(delete(Finding).where(Finding.id.in_(old[start : start + CHUNK])))


def _is_in(found: ScannedFinding, test: TestRow) -> bool:
    """Whether the function is the test: its bare name, in a file that the test's row names in some way."""
    name = test.identity.name
    bare = name.partition("[")[0].rpartition("::")[2]
    titles = {name, bare, name.rpartition(" > ")[2], bare.partition("(")[0]}
    if found.function not in titles:
        return False
    stem = found.file.removeprefix("./")
    places = [place for place in (test.file, test.identity.classname, test.identity.suite) if place]
    return any(_same_file(stem, place) for place in places) or not places


def _same_file(file: str, place: str) -> bool:
    """Whether `place` (a path, a dotted module, a class in one, a package) means the same file."""
    path = place.replace("\\", "/").removeprefix("./")
    if path == file or path.endswith("/" + file) or file.endswith("/" + path):
        return True
    dotted = "." + file.rpartition(".")[0].replace("/", ".")
    parts = place.split(".")
    return any(dotted.endswith("." + ".".join(parts[:count])) for count in range(len(parts), 0, -1))
