"""The tables as users see them in `flakehunter.load` and in exports: their columns, order and names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from flakehunter.db.queries.projects import to_project
from flakehunter.db.schema import (
    Artifact,
    ArtifactIssue,
    Experiment,
    Failure,
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


@dataclass(frozen=True, slots=True)
class UserTable:
    """A table: its class in the schema, its columns by the name that users know, and the column that orders it."""

    source: type[Any]
    columns: Mapping[str, Any]
    order: Any


TABLES: Mapping[str, UserTable] = {
    "runs": UserTable(
        Run,
        {
            "run_id": Run.id,
            "project": Project.name,
            "provider": Run.provider,
            "external_id": Run.external_id,
            "workflow": Run.workflow,
            "job": Run.job,
            "run_attempt": Run.attempt,
            "commit": Run.commit_sha,
            "branch": Run.branch,
            "runner": Run.runner,
            "os": Run.os,
            "cpus": Run.cpus,
            "parallel": Run.parallel,
            "time_limit_s": Run.time_limit_s,
            "started_at": Run.started_at,
        },
        Run.id,
    ),
    "artifacts": UserTable(
        Artifact,
        {
            "artifact_id": Artifact.id,
            "run_id": Artifact.run_id,
            "path": Artifact.path,
            "kind": Artifact.kind,
            "format": Artifact.format,
            "size_bytes": Artifact.size_bytes,
            "ingested_at": Artifact.ingested_at,
        },
        Artifact.id,
    ),
    "artifact_issues": UserTable(
        ArtifactIssue,
        {
            "artifact_id": ArtifactIssue.artifact_id,
            "position": ArtifactIssue.position,
            "reason": ArtifactIssue.reason,
            "rejected": ArtifactIssue.rejected,
        },
        ArtifactIssue.id,
    ),
    "tests": UserTable(
        TestCase,
        {
            "test_id": TestCase.id,
            "project": Project.name,
            "suite": TestCase.suite,
            "classname": TestCase.classname,
            "name": TestCase.name,
            "framework": TestCase.framework,
            "file": TestCase.file,
            "line": TestCase.line,
        },
        TestCase.id,
    ),
    "results": UserTable(
        Result,
        {
            "test_id": Result.test_case_id,
            "run_id": Result.run_id,
            "attempt": Result.attempt,
            "outcome": Result.outcome,
            "duration_s": Result.duration_s,
            "failure_id": Result.failure_id,
        },
        Result.id,
    ),
    "failures": UserTable(
        Failure,
        {
            "failure_id": Failure.id,
            "fingerprint": Failure.fingerprint,
            "type": Failure.type,
            "message": Failure.message,
            "detail": Failure.detail,
        },
        Failure.id,
    ),
    "log_events": UserTable(
        LogEvent,
        {
            "test_id": LogEvent.test_case_id,
            "run_id": LogEvent.run_id,
            "time": LogEvent.time,
            "kind": LogEvent.kind,
            "pid": LogEvent.pid,
            "line": LogEvent.line,
            "text": LogEvent.text,
        },
        LogEvent.id,
    ),
    "findings": UserTable(
        Finding,
        {
            "test_id": Finding.test_case_id,
            "mechanism": Finding.mechanism,
            "source": Finding.source,
            "file": Finding.file,
            "line": Finding.line,
            "score": Finding.score,
            "evidence": Finding.evidence,
        },
        Finding.id,
    ),
    "verdicts": UserTable(
        TestVerdict,
        {
            "test_id": TestVerdict.test_case_id,
            "verdict": TestVerdict.verdict,
            "p_flaky": TestVerdict.p_flaky,
            "flake_rate": TestVerdict.flake_rate,
            "flake_rate_low": TestVerdict.flake_rate_low,
            "flake_rate_high": TestVerdict.flake_rate_high,
            "mechanism": TestVerdict.mechanism,
            "p_mechanism": TestVerdict.p_mechanism,
            "since": TestVerdict.since_commit,
            "decided_at": TestVerdict.decided_at,
        },
        TestVerdict.test_case_id,
    ),
    "experiments": UserTable(
        Experiment,
        {
            "experiment_id": Experiment.id,
            "test_id": Experiment.test_case_id,
            "command": Experiment.command,
            "verdict": Experiment.verdict,
            "mechanism": Experiment.mechanism,
            "started_at": Experiment.started_at,
            "finished_at": Experiment.finished_at,
            "summary": Experiment.summary,
            "machine": Experiment.machine,
        },
        Experiment.id,
    ),
    "trials": UserTable(
        Trial,
        {
            "trial_id": Trial.id,
            "experiment_id": Trial.experiment_id,
            "ordinal": Trial.ordinal,
            "arm": Trial.arm,
            "stressor": Trial.stressor,
            "group_kill": Trial.group_kill,
            "outcome": Trial.outcome,
            "exit_code": Trial.exit_code,
            "duration_s": Trial.duration_s,
            "message": Trial.message,
        },
        Trial.id,
    ),
    "process_exits": UserTable(
        ProcessExit,
        {
            "trial_id": ProcessExit.trial_id,
            "pid": ProcessExit.pid,
            "ppid": ProcessExit.ppid,
            "pgid": ProcessExit.pgid,
            "sid": ProcessExit.sid,
            "argv": ProcessExit.argv,
            "state": ProcessExit.state,
            "exit_status": ProcessExit.exit_status,
            "survived": ProcessExit.survived,
            "time_to_exit_ms": ProcessExit.time_to_exit_ms,
            "time_to_reap_ms": ProcessExit.time_to_reap_ms,
            "timeline": ProcessExit.timeline,
        },
        ProcessExit.id,
    ),
}


def read_table(connection: Connection, name: str, projects: Sequence[int]) -> list[tuple[Any, ...]]:
    """Return the rows of a table that belong to the projects with those ids, in the order of `TABLES[name].columns`."""
    table = TABLES[name]
    query = select(*table.columns.values())
    if table.source is Failure:  # one text may stand for failures of many projects
        used = to_project(select(Result.failure_id), Result).where(Project.id.in_(projects))
        query = query.where(Failure.id.in_(used))
    else:
        query = to_project(query, table.source).where(Project.id.in_(projects))
    return [tuple(row) for row in connection.execute(query.order_by(table.order))]
