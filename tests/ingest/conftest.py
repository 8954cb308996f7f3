"""What the tests of ingest share: fixtures of real producers, and a short way to rows."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flakehunter.ingest.junit.reader import JUnitReader
from flakehunter.ingest.limits import DEFAULT_LIMITS, Limits

FIXTURES = Path(__file__).parent / "fixtures"

Attempts = list[tuple[str, str, int, str]]
"""classname, name, attempt, outcome."""


@pytest.fixture
def fixtures() -> Path:
    """Return the folder of files that real producers wrote."""
    return FIXTURES


@pytest.fixture
def read_junit() -> Callable[..., tuple[JUnitReader, Attempts]]:
    """Return a function that reads a JUnit document and lists its attempts."""

    def read(
        document: bytes | str | Path, *, limits: Limits = DEFAULT_LIMITS, **more: Any
    ) -> tuple[JUnitReader, Attempts]:
        if isinstance(document, Path):
            document = document.read_bytes()
        data = document.encode() if isinstance(document, str) else document
        reader = JUnitReader(io.BytesIO(data), limits, **more)
        rows = [
            (batch.tests[test].classname, batch.tests[test].name, attempt, outcome)
            for batch in reader.batches()
            for test, attempt, outcome, _, _ in batch.results
        ]
        return reader, rows

    return read
