"""What a worker of a fleet does where the database is not ready for it."""

from pathlib import Path

import pytest
from sqlalchemy import Engine

from flakehunter.db.engine import open_database
from flakehunter.errors import DatabaseError, NothingToDoError
from flakehunter.ingest import worker
from flakehunter.ingest.fleet import Unit
from flakehunter.ingest.found import IngestOptions, Summary, find_artifacts

JUNIT = '<testsuite name="pytest"><testcase classname="a" name="test_a"/></testsuite>'


@pytest.fixture
def unit(tmp_path: Path) -> Unit:
    """Give a unit of one file with one result."""
    (tmp_path / "junit.xml").write_text(JUNIT)
    return Unit(found=list(find_artifacts([tmp_path / "junit.xml"], IngestOptions(), Summary())))


@pytest.mark.needs("postgres")
def test_worker_makes_no_tables_since_its_database_may_be_another_one(
    unit: Unit, postgres_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "TABLES_S", 0.0)

    with pytest.raises(DatabaseError, match="is empty, as this host sees it") as refused:
        worker.ingest_unit(unit, url=postgres_database, options=IngestOptions(), patterns=(), ingest=b"1")

    assert "the same database on every host" in str(refused.value.hint)
    with pytest.raises(NothingToDoError):
        open_database(postgres_database)


@pytest.mark.needs("postgres")
def test_worker_waits_for_whoever_makes_the_tables(
    unit: Unit, postgres_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = []

    def empty_at_first(url: str) -> Engine:
        looks.append(url)
        if len(looks) == 1:
            # The command makes them after it has sent the first unit.
            open_database(url, create=True).dispose()
            raise NothingToDoError("database is empty")
        return open_database(url)

    monkeypatch.setattr(worker, "open_database", empty_at_first)
    monkeypatch.setattr(worker, "IDLE_S", 0.0)

    summary, written = worker.ingest_unit(
        unit, url=postgres_database, options=IngestOptions(), patterns=(), ingest=b"2"
    )

    assert (len(looks), summary.new_results, len(written)) == (2, 1, 1)
