"""Findings of other parts (source, traces) and what experiments of `repro` said, by test."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from flakehunter.db.queries.projects import of_project
from flakehunter.db.schema import Experiment, Finding, TestCase
from flakehunter.model import EvidenceSource, Mechanism, ReproVerdict


@dataclass(frozen=True, slots=True)
class FindingRow:
    """One stored finding that is tied to a test."""

    id: int
    test_id: int
    mechanism: Mechanism
    source: EvidenceSource
    file: str
    line: int | None
    score: float
    evidence: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ExperimentRow:
    """A finished experiment with a test; `failures` of `trials` are those of its arms without a fix."""

    id: int
    test_id: int
    verdict: ReproVerdict
    mechanism: Mechanism | None
    failures: int
    trials: int
    arm: str
    """The arm that failed most often, in words."""


def findings(connection: Connection, project: str, *, sources: Sequence[EvidenceSource]) -> list[FindingRow]:
    """Return the findings of the given sources that are tied to tests of `project`."""
    columns = select(
        Finding.id,
        Finding.test_case_id,
        Finding.mechanism,
        Finding.source,
        Finding.file,
        Finding.line,
        Finding.score,
        Finding.evidence,
    )
    query = of_project(columns, Finding, project).where(Finding.source.in_(list(sources))).order_by(Finding.id)
    return [
        FindingRow(id_, test, mechanism, source, file, line, score, evidence)
        for id_, test, mechanism, source, file, line, score, evidence in connection.execute(query)
        if test is not None
    ]


def experiments(connection: Connection, project: str) -> list[ExperimentRow]:
    """Return the finished experiments with tests of `project`, oldest first."""
    columns = select(
        Experiment.id, Experiment.test_case_id, Experiment.verdict, Experiment.mechanism, Experiment.summary
    ).join(TestCase, TestCase.id == Experiment.test_case_id)
    query = of_project(columns, TestCase, project).where(Experiment.verdict.is_not(None)).order_by(Experiment.id)
    rows = []
    for id_, test, verdict, mechanism, summary in connection.execute(query):
        if test is None or verdict is None:
            continue
        arms = [arm for arm in summary.get("arms", []) if "fix" not in str(arm.get("name", "")).lower()]
        worst = max(arms, key=lambda arm: arm["rate"]["value"], default=None)
        rows.append(
            ExperimentRow(
                id_,
                test,
                verdict,
                mechanism,
                sum(int(arm["failures"]) for arm in arms),
                sum(int(arm["trials"]) for arm in arms),
                "" if worst is None else f"{worst['failures']} of {worst['trials']} under {worst['stressor']}",
            )
        )
    return rows
