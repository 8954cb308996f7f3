"""Keep what `detect` said: verdicts and text findings, each replaced by the next `detect`."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from flakehunter.db.queries.projects import of_project
from flakehunter.db.schema import Finding, TestCase, TestVerdict
from flakehunter.detect.assess import Assessment
from flakehunter.model import EvidenceSource

ROWS_AT_ONCE = 10_000


def store(connection: Connection, project: str, assessments: Sequence[Assessment], now: datetime) -> None:
    """Replace the verdicts and the text findings of `project` by those of `assessments`, in the given transaction."""
    ids = of_project(select(TestCase.id), TestCase, project).scalar_subquery()
    connection.execute(delete(TestVerdict).where(TestVerdict.test_case_id.in_(ids)))
    connection.execute(delete(Finding).where(Finding.source == EvidenceSource.TEXT, Finding.test_case_id.in_(ids)))
    for rows in _chunks([_verdict_row(one, now) for one in assessments]):
        connection.execute(insert(TestVerdict), rows)
    for rows in _chunks([row for one in assessments for row in _finding_rows(one, now)]):
        connection.execute(insert(Finding), rows)


def _chunks(rows: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    for start in range(0, len(rows), ROWS_AT_ONCE):
        yield rows[start : start + ROWS_AT_ONCE]


def _verdict_row(one: Assessment, now: datetime) -> dict[str, Any]:
    weighed = one.weighed
    return {
        "test_case_id": one.test.id,
        "verdict": weighed.verdict,
        "p_flaky": weighed.p_flaky,
        "flake_rate": weighed.rate.value,
        "flake_rate_low": weighed.rate.low,
        "flake_rate_high": weighed.rate.high,
        "mechanism": weighed.mechanism,
        "p_mechanism": weighed.p_mechanism,
        "since_commit": weighed.since,
        "evidence": [
            {"source": item.source.value, "text": item.text, "weight": item.weight, "ref": item.ref}
            for item in weighed.evidence
        ],
        "decided_at": now,
    }


def _finding_rows(one: Assessment, now: datetime) -> list[dict[str, Any]]:
    return [
        {
            "test_case_id": one.test.id,
            "mechanism": match.rule.mechanism,
            "source": EvidenceSource.TEXT,
            "file": one.test.file,
            "line": one.test.line,
            "score": match.rule.weight * min(match.share, 1.0),
            "evidence": {
                "rule": match.rule.id,
                "text": f"{match.rule.says}: “{match.quote}”",
                "channel": match.channel,
                "failures": match.failures,
                "ref": match.ref,
            },
            "created_at": now,
        }
        for match in one.matches
        if match.channel != "name"
    ]
