"""Many rows at once come back as they were given."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from flakehunter.db import many_rows
from flakehunter.db.engine import open_database
from flakehunter.db.many_rows import add_rows
from flakehunter.db.schema import Finding
from flakehunter.model import EvidenceSource, Mechanism
from tests.detect.builder import DatabaseBuilder

COLUMNS = (
    Finding.test_case_id,
    Finding.mechanism,
    Finding.source,
    Finding.file,
    Finding.line,
    Finding.score,
    Finding.evidence,
    Finding.created_at,
)
NOW = datetime(2026, 5, 1, 12, 30, 15, 250_000, UTC)


def test_rows_of_several_statements_come_back_as_they_were(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(many_rows, "ROWS_AT_ONCE", 2)
    rows = [
        (None, Mechanism.SURVIVOR, EvidenceSource.TEXT, "a.py", None, 0.1 + 0.2, {"text": "“%s” {}"}, NOW),
        (None, Mechanism.FIXED_SLEEP, EvidenceSource.SCAN, "", None, 1.0, {}, NOW),
        (None, Mechanism.SURVIVOR, EvidenceSource.TEXT, 'b"\\\n', 7, 0.5, {"failures": 3, "ref": None}, NOW),
    ]
    engine = open_database(DatabaseBuilder(tmp_path).close())

    with engine.begin() as connection:
        add_rows(connection, Finding.__table__, COLUMNS, rows)
        add_rows(connection, Finding.__table__, COLUMNS, [])
        stored = connection.execute(select(*COLUMNS).order_by(Finding.id)).all()

    engine.dispose()
    assert [tuple(row) for row in stored] == rows


def test_row_that_is_refused_leaves_none(tmp_path: Path) -> None:
    row = (None, Mechanism.SURVIVOR, EvidenceSource.TEXT, "", None, 0.5, {}, NOW)
    engine = open_database(DatabaseBuilder(tmp_path).close())

    with pytest.raises(DBAPIError), engine.begin() as connection:
        add_rows(connection, Finding.__table__, COLUMNS, [row, (987_654, *row[1:])])

    with engine.connect() as connection:
        assert connection.execute(select(Finding.id)).all() == []
    engine.dispose()
