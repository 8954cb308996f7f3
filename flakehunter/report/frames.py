"""The database as tidy pandas DataFrames: one row an observation, one column a variable, names instead of row ids."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from flakehunter.config import database_url
from flakehunter.db.engine import open_database, readonly
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
from flakehunter.errors import NothingToDoError
from flakehunter.model import TestIdentity

if TYPE_CHECKING:
    import pandas as pd

FRAMES = (
    "runs",
    "artifacts",
    "artifact_issues",
    "tests",
    "results",
    "failures",
    "log_events",
    "findings",
    "verdicts",
    "experiments",
    "trials",
    "process_exits",
)
"""Every frame, by the name of its attribute."""


def load(db: str | Path | None = None, *, project: str | None = None) -> "History":
    """Open a database for reading: a path or a URL, else `FLAKEHUNTER_DB`, else the default file.

    With `project`, only its rows. Frames are read when they are first asked for, and kept.

    Raises:
        NothingToDoError: there is no database, or no such project in it.
        DatabaseError: it cannot be opened, or is of another revision.
    """
    url = database_url(None if db is None else str(db))
    engine = open_database(url)
    try:
        with readonly(engine).connect() as connection:
            known = {name: id_ for id_, name in connection.execute(select(Project.id, Project.name))}
    finally:
        engine.dispose()
    if project is not None and project not in known:
        raise NothingToDoError(
            f"there is no project {project!r} in the database", hint="known projects: " + ", ".join(sorted(known))
        )
    return History(url, project, tuple(known.values()) if project is None else (known[project],))


@dataclass(frozen=True)
class History:
    """The frames of a database; each attribute is a DataFrame that is read once.

    Tests are named by `test`, their label; `results`, `verdicts`, `findings` and `log_events` join on it. Runs are
    named by `run_id`. Moments are aware and in UTC, durations in seconds, rates in [0, 1].
    """

    url: str
    project: str | None
    _project_ids: tuple[int, ...] = field(repr=False)

    @cached_property
    def runs(self) -> "pd.DataFrame":
        """One row an attempt of a job: commit, branch, job, attempt, runner, when it started."""
        return self._read(
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
                "started_at": Run.started_at,
            },
            lambda query: query.join(Project, Project.id == Run.project_id).order_by(Run.id),
        )

    @cached_property
    def artifacts(self) -> "pd.DataFrame":
        """One row an ingested file."""
        return self._read(
            {
                "artifact_id": Artifact.id,
                "run_id": Artifact.run_id,
                "path": Artifact.path,
                "kind": Artifact.kind,
                "format": Artifact.format,
                "size_bytes": Artifact.size_bytes,
                "ingested_at": Artifact.ingested_at,
            },
            lambda query: (
                query.join(Run, Run.id == Artifact.run_id).join(Project, Project.id == Run.project_id)
            ).order_by(Artifact.id),
        )

    @cached_property
    def artifact_issues(self) -> "pd.DataFrame":
        """One row a thing that was wrong with a file."""
        return self._read(
            {
                "artifact_id": ArtifactIssue.artifact_id,
                "position": ArtifactIssue.position,
                "reason": ArtifactIssue.reason,
                "rejected": ArtifactIssue.rejected,
            },
            lambda query: (
                query.join(Artifact, Artifact.id == ArtifactIssue.artifact_id)
                .join(Run, Run.id == Artifact.run_id)
                .join(Project, Project.id == Run.project_id)
                .order_by(ArtifactIssue.id)
            ),
        )

    @cached_property
    def _tests_by_id(self) -> "pd.DataFrame":
        frame = self._read(
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
            lambda query: query.join(Project, Project.id == TestCase.project_id).order_by(TestCase.id),
        )
        names = [
            TestIdentity(*row)
            for row in zip(*(frame[part] for part in ("project", "suite", "classname", "name")), strict=True)
        ]
        frame.insert(0, "test", [name.label for name in names])
        frame.insert(1, "key", [name.key.hex() for name in names])
        return frame.set_index("test_id")

    @cached_property
    def tests(self) -> "pd.DataFrame":
        """One row a test case: its label, key, parts of its name, framework, file and line."""
        return self._tests_by_id.reset_index(drop=True)

    @cached_property
    def results(self) -> "pd.DataFrame":
        """One row an attempt of a test in a run, with commit, job and outcome; failures by their fingerprint."""
        frame = self._read(
            {
                "test_id": Result.test_case_id,
                "run_id": Result.run_id,
                "attempt": Result.attempt,
                "outcome": Result.outcome,
                "duration_s": Result.duration_s,
                "failure_id": Result.failure_id,
            },
            lambda query: (
                query.join(TestCase, TestCase.id == Result.test_case_id)
                .join(Project, Project.id == TestCase.project_id)
                .order_by(Result.id)
            ),
        )
        frame.insert(0, "test", self._labels(frame.pop("test_id")))
        runs = self.runs.set_index("run_id")
        for place, column in enumerate(("commit", "branch", "job", "run_attempt", "started_at"), start=2):
            frame.insert(place, column, frame["run_id"].map(runs[column]))
        fingerprints = self._failures_by_id["fingerprint"]
        frame["fingerprint"] = frame.pop("failure_id").map(fingerprints)
        frame["outcome"] = frame["outcome"].astype("category")
        return frame

    @cached_property
    def _failures_by_id(self) -> "pd.DataFrame":
        used = (
            select(Result.failure_id)
            .join(TestCase, TestCase.id == Result.test_case_id)
            .where(TestCase.project_id.in_(self._project_ids))
        )
        frame = self._read(
            {
                "failure_id": Failure.id,
                "fingerprint": Failure.fingerprint,
                "type": Failure.type,
                "message": Failure.message,
                "detail": Failure.detail,
            },
            lambda query: query.where(Failure.id.in_(used)).order_by(Failure.id),
            filtered=False,
        )
        frame["fingerprint"] = [fingerprint.hex() for fingerprint in frame["fingerprint"]]
        return frame.set_index("failure_id")

    @cached_property
    def failures(self) -> "pd.DataFrame":
        """One row a different text of a failure; those of one kind share their fingerprint."""
        return self._failures_by_id.reset_index(drop=True)

    @cached_property
    def log_events(self) -> "pd.DataFrame":
        """One row a log line about signals, processes, kills, time-outs or jobs."""
        frame = self._read(
            {
                "test_id": LogEvent.test_case_id,
                "run_id": LogEvent.run_id,
                "time": LogEvent.time,
                "kind": LogEvent.kind,
                "pid": LogEvent.pid,
                "line": LogEvent.line,
                "text": LogEvent.text,
            },
            lambda query: (
                query.join(Run, Run.id == LogEvent.run_id)
                .join(Project, Project.id == Run.project_id)
                .order_by(LogEvent.id)
            ),
        )
        frame.insert(0, "test", self._labels(frame.pop("test_id")))
        return frame

    @cached_property
    def findings(self) -> "pd.DataFrame":
        """One row a piece of evidence that points at a mechanism."""
        frame = self._read(
            {
                "test_id": Finding.test_case_id,
                "mechanism": Finding.mechanism,
                "source": Finding.source,
                "file": Finding.file,
                "line": Finding.line,
                "score": Finding.score,
                "evidence": Finding.evidence,
            },
            lambda query: (
                query.join(TestCase, TestCase.id == Finding.test_case_id)
                .join(Project, Project.id == TestCase.project_id)
                .order_by(Finding.id)
            ),
        )
        frame.insert(0, "test", self._labels(frame.pop("test_id")))
        return frame

    @cached_property
    def verdicts(self) -> "pd.DataFrame":
        """One row a test: what `detect` said last of it."""
        frame = self._read(
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
            lambda query: (
                query.join(TestCase, TestCase.id == TestVerdict.test_case_id)
                .join(Project, Project.id == TestCase.project_id)
                .order_by(TestVerdict.test_case_id)
            ),
        )
        frame.insert(0, "test", self._labels(frame.pop("test_id")))
        return frame

    @cached_property
    def experiments(self) -> "pd.DataFrame":
        """One row an invocation of `repro`."""
        frame = self._read(
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
            lambda query: query.join(Project, Project.id == Experiment.project_id).order_by(Experiment.id),
        )
        frame.insert(1, "test", self._labels(frame.pop("test_id")))
        return frame

    @cached_property
    def trials(self) -> "pd.DataFrame":
        """One row a trial of an experiment."""
        return self._read(
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
            lambda query: (
                query.join(Experiment, Experiment.id == Trial.experiment_id)
                .join(Project, Project.id == Experiment.project_id)
                .order_by(Trial.id)
            ),
        )

    @cached_property
    def process_exits(self) -> "pd.DataFrame":
        """One row a process of a trial: how and when it ended."""
        return self._read(
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
            },
            lambda query: (
                query.join(Trial, Trial.id == ProcessExit.trial_id)
                .join(Experiment, Experiment.id == Trial.experiment_id)
                .join(Project, Project.id == Experiment.project_id)
                .order_by(ProcessExit.id)
            ),
        )

    def _labels(self, ids: "pd.Series[Any]") -> Any:
        """Return the labels of tests by row id; a million rows share one text a test."""
        import pandas as pd

        known = self._tests_by_id
        labels = pd.Index(known["test"].unique())
        codes = labels.get_indexer(pd.Index(ids.map(known["test"])))
        return pd.Categorical.from_codes(codes.tolist(), categories=labels)

    def _read(
        self, columns: dict[str, Any], complete: Callable[[Any], Any], *, filtered: bool = True
    ) -> "pd.DataFrame":
        import pandas as pd

        query = complete(select(*columns.values()))
        if filtered:
            query = query.where(Project.id.in_(self._project_ids))
        engine = open_database(self.url)
        try:
            with readonly(engine).connect() as connection:
                rows = [tuple(row) for row in connection.execute(query)]
        finally:
            engine.dispose()
        frame = pd.DataFrame(rows, columns=list(columns))
        for name, column in columns.items():
            kind = column.type.python_type
            if kind is int and frame[name].isna().any():
                frame[name] = frame[name].astype("Int64")
            elif name in MOMENTS:
                frame[name] = pd.to_datetime(frame[name], utc=True)
            elif kind is float:
                frame[name] = frame[name].astype(float)
            elif name in WORDS:
                frame[name] = [None if word is None else str(word) for word in frame[name]]
        return frame


MOMENTS = ("started_at", "finished_at", "ingested_at", "decided_at", "time")
WORDS = ("outcome", "verdict", "mechanism", "source", "kind")
"""Columns that may hold words of `flakehunter.model`; frames hold their text."""
