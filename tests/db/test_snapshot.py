"""A copy of the database as it was: what had happened by then, and nothing after."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine, func, insert, select

from flakehunter.db.engine import open_database
from flakehunter.db.schema import Artifact, Failure, Finding, Project, Result, Run, TestCase, TestVerdict
from flakehunter.db.snapshot import copy_until
from flakehunter.model import EvidenceSource, Mechanism, Outcome, Verdict

START = datetime(2026, 5, 1, tzinfo=UTC)


def fill(engine: Engine) -> None:
    """Write four runs, one a day and one without a moment; the test fails in each with a text of its own."""
    with engine.begin() as connection:
        connection.execute(insert(Project), [{"id": 1, "name": "default"}])
        connection.execute(insert(TestCase), [{"id": 1, "project_id": 1, "key": b"k" * 16, "name": "one"}])
        for number, moment in enumerate([START, START + timedelta(days=1), START + timedelta(days=2), None], start=1):
            digest = bytes([number]) * 16
            connection.execute(insert(Run), {"id": number, "project_id": 1, "job": str(number), "started_at": moment})
            about = {"run_id": number, "sha256": digest * 2, "path": "a", "kind": "junit", "size_bytes": 1}
            connection.execute(insert(Artifact), {"id": number, **about, "ingested_at": START})
            connection.execute(insert(Failure), {"id": number, "fingerprint": digest, "detail_hash": digest})
            row = {"test_case_id": 1, "run_id": number, "artifact_id": number, "failure_id": number}
            connection.execute(insert(Result), {**row, "outcome": Outcome.FAILED})
            found = {"test_case_id": 1, "mechanism": Mechanism.SURVIVOR, "source": EvidenceSource.SCAN, "score": 0.5}
            connection.execute(insert(Finding), {**found, "created_at": START + timedelta(days=number - 1)})
        rates = {"flake_rate": 0.5, "flake_rate_low": 0.1, "flake_rate_high": 0.9}
        verdict = {"test_case_id": 1, "verdict": Verdict.FLAKY, "p_flaky": 0.9, "decided_at": START}
        connection.execute(insert(TestVerdict), verdict | rates)


def test_copy_holds_what_had_happened_and_no_verdict(empty_database: str, tmp_path: Path) -> None:
    engine = open_database(empty_database, create=True)
    fill(engine)
    copy_until(engine, tmp_path / "then.db", START + timedelta(days=1))
    engine.dispose()
    copy = open_database(f"sqlite:///{tmp_path / 'then.db'}")
    with copy.connect() as connection:
        tables = (Project, TestCase, Run, Artifact, Result, Failure, Finding, TestVerdict)
        counts = {table.__tablename__: connection.scalar(select(func.count()).select_from(table)) for table in tables}
        moments = connection.scalars(select(Run.started_at).order_by(Run.id)).all()
    copy.dispose()
    assert counts == {
        "projects": 1, "test_cases": 1, "runs": 3, "artifacts": 3, "results": 3, "failures": 3, "findings": 2,
        "verdicts": 0,
    }  # fmt: skip
    assert moments == [START, START + timedelta(days=1), None]
