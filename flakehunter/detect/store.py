"""Keep what `detect` said: verdicts and text findings, each replaced by the next `detect`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, select

from flakehunter.db.many_rows import add_rows
from flakehunter.db.queries.projects import of_project
from flakehunter.db.schema import Finding, TestCase, TestVerdict
from flakehunter.detect.assess import Assessment
from flakehunter.detect.weigh import Weighed
from flakehunter.model import EvidenceSource


def store(connection: Connection, project: str, assessments: Sequence[Assessment], now: datetime) -> None:
    """Replace the verdicts and the text findings of `project` by those of `assessments`, in the given transaction."""
    ids = of_project(select(TestCase.id), TestCase, project).scalar_subquery()
    connection.execute(delete(TestVerdict).where(TestVerdict.test_case_id.in_(ids)))
    connection.execute(delete(Finding).where(Finding.source == EvidenceSource.TEXT, Finding.test_case_id.in_(ids)))
    # Most tests have never failed, and what is said of many of them is one object.
    said = {id(one.weighed): _verdict(one.weighed, now) for one in assessments}
    verdicts = [(one.test.id, *said[id(one.weighed)]) for one in assessments]
    add_rows(connection, TestVerdict.__table__, _VERDICT, verdicts)
    add_rows(connection, Finding.__table__, _FINDING, [row for one in assessments for row in _finding_rows(one, now)])


_VERDICT = (
    TestVerdict.test_case_id,
    TestVerdict.verdict,
    TestVerdict.p_flaky,
    TestVerdict.flake_rate,
    TestVerdict.flake_rate_low,
    TestVerdict.flake_rate_high,
    TestVerdict.mechanism,
    TestVerdict.p_mechanism,
    TestVerdict.since_commit,
    TestVerdict.evidence,
    TestVerdict.decided_at,
)


def _verdict(weighed: Weighed, now: datetime) -> tuple[Any, ...]:
    return (
        weighed.verdict,
        weighed.p_flaky,
        weighed.rate.value,
        weighed.rate.low,
        weighed.rate.high,
        weighed.mechanism,
        weighed.p_mechanism,
        weighed.since,
        [
            {"source": item.source.value, "text": item.text, "weight": item.weight, "ref": item.ref}
            for item in weighed.evidence
        ],
        now,
    )


_FINDING = (
    Finding.test_case_id,
    Finding.mechanism,
    Finding.source,
    Finding.file,
    Finding.line,
    Finding.score,
    Finding.evidence,
    Finding.created_at,
)


def _finding_rows(one: Assessment, now: datetime) -> list[tuple[Any, ...]]:
    return [
        (
            one.test.id,
            match.rule.mechanism,
            EvidenceSource.TEXT,
            one.test.file,
            one.test.line,
            match.rule.weight * min(match.share, 1.0),
            {
                "rule": match.rule.id,
                "text": f"{match.rule.says}: “{match.quote}”",
                "channel": match.channel,
                "failures": match.failures,
                "ref": match.ref,
            },
            now,
        )
        for match in one.matches
        if match.channel != "name"
    ]
