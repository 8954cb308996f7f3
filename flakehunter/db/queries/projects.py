"""Which project a row belongs to: the way from each table to its project stands here alone."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, select

from flakehunter.db.schema import (
    Artifact,
    ArtifactIssue,
    Experiment,
    Finding,
    LogEvent,
    ProcessExit,
    Project,
    Result,
    Run,
    TestCase,
    TestVerdict,
    Trial,
)

PARENTS: Mapping[type[Any], tuple[type[Any], Any]] = {
    Run: (Project, Project.id == Run.project_id),
    Artifact: (Run, Run.id == Artifact.run_id),
    ArtifactIssue: (Artifact, Artifact.id == ArtifactIssue.artifact_id),
    TestCase: (Project, Project.id == TestCase.project_id),
    Result: (TestCase, TestCase.id == Result.test_case_id),
    LogEvent: (Run, Run.id == LogEvent.run_id),
    Finding: (TestCase, TestCase.id == Finding.test_case_id),
    TestVerdict: (TestCase, TestCase.id == TestVerdict.test_case_id),
    Experiment: (Project, Project.id == Experiment.project_id),
    Trial: (Experiment, Experiment.id == Trial.experiment_id),
    ProcessExit: (Trial, Trial.id == ProcessExit.trial_id),
}
"""For each table, the one it is joined to on its way to `Project`, and how."""


def to_project(query: Any, table: type[Any]) -> Any:
    """Return `query`, which selects from `table`, joined up to `Project`; rows without a project drop out."""
    while table in PARENTS:
        parent, condition = PARENTS[table]
        query, table = query.join(parent, condition), parent
    return query


def of_project(query: Any, table: type[Any], project: str | None) -> Any:
    """Return `query`, which selects from `table`, joined up to `Project` and limited to one; None for all."""
    query = to_project(query, table)
    return query if project is None else query.where(Project.name == project)


def project_ids(connection: Connection) -> dict[str, int]:
    """Return the row ids of all projects by name, in the order of the names."""
    rows = connection.execute(select(Project.name, Project.id).order_by(Project.name))
    return {row.name: row.id for row in rows}
