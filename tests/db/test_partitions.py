"""Monthly partitions of results on PostgreSQL: whatever day a file tells, its results are kept."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, event

from flakehunter.clock import utc_now
from flakehunter.db.engine import open_database
from flakehunter.db.queries.rollups import update_rollups
from flakehunter.db.schema import Rollup
from flakehunter.ingest.pipeline import IngestOptions, ingest

pytestmark = pytest.mark.needs("postgres")
Query = Callable[..., list[tuple[Any, ...]]]
NOW = utc_now()
MOMENTS = {
    "none": "",
    "year one": "0001-01-01T00:00:00",
    "unix zero": "1970-01-01T00:00:00",
    "before all months": "1999-12-31T23:59:59",
    "first month": "2000-01-01T00:00:00",
    "far ahead": "2999-01-01T00:00:00",
}


def test_a_result_of_any_day_is_kept(postgres_database: str, tmp_path: Path, query: Query) -> None:
    for number, moment in enumerate(MOMENTS.values()):
        told = f' timestamp="{moment}"' if moment else ""
        case = f'<testcase classname="C" name="t{number}" time="0.1"/>'
        (tmp_path / f"{number}.xml").write_text(f'<testsuite name="s"{told}>{case}</testsuite>')
    assert ingest([tmp_path], postgres_database, IngestOptions()).new_results == len(MOMENTS)
    days = dict(
        query(postgres_database, "SELECT t.name, r.day FROM results r JOIN test_cases t ON t.id = test_case_id")
    )
    first = days.pop(f"t{list(MOMENTS).index('first month')}")
    assert first.isoformat() == "2000-01-01"
    # The day may have changed since this module was loaded.
    assert all(timedelta(0) <= day - NOW.date() <= timedelta(1) for day in days.values())
    assert query(postgres_database, "SELECT count(*) FROM results_undated") == [(0,)]


def test_a_row_without_a_day_has_a_partition(postgres_database: str, tmp_path: Path, query: Query) -> None:
    (tmp_path / "a.xml").write_text('<testsuite name="s"><testcase classname="C" name="t"/></testsuite>')
    ingest([tmp_path], postgres_database, IngestOptions())
    row = (
        "WITH made AS (INSERT INTO results (test_case_id, run_id, artifact_id, attempt, day, outcome)"
        " SELECT test_case_id, run_id, artifact_id, 2, DATE '1900-01-01', outcome FROM results RETURNING tableoid)"
        " SELECT tableoid::regclass::text FROM made"
    )
    assert query(postgres_database, row) == [("results_undated",)]


def test_rows_to_roll_up_come_part_by_part(postgres_database: str, tmp_path: Path) -> None:
    """A hundred million of them, which no ingest told of, took seven gigabytes."""
    (tmp_path / "a.xml").write_text('<testsuite name="s"><testcase classname="C" name="t"/></testsuite>')
    ingest([tmp_path], postgres_database, IngestOptions())
    engine = open_database(postgres_database)
    kinds: list[str] = []

    @event.listens_for(engine, "after_cursor_execute")
    def look(_connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if "FROM results" in statement:
            kinds.append(type(cursor).__name__)

    with engine.begin() as connection:
        connection.execute(delete(Rollup))
        assert update_rollups(connection, "default") == 1
    engine.dispose()
    assert kinds == ["ServerCursor"]
