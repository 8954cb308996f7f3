"""Write what `flakehunter trace` saw: an experiment with one trial, its processes, and its findings."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select

from flakehunter.clock import utc_now
from flakehunter.db.schema import Experiment, Finding, ProcessExit, TestVerdict, Trial
from flakehunter.model import EvidenceSource, Mechanism, TrialOutcome

__all__ = ["Observed", "StoredTrace", "Stressed", "TracedFinding", "TracedProcess", "observed", "write_trace"]

FLAWED_ARMS = ("flawed", "time-to-death")
"""The arms of `repro` that run the test as it stands, and under the stressor that is written beside them."""


@dataclass(frozen=True, slots=True)
class TracedProcess:
    """One process of the traced run; times are milliseconds after its first signal, None without one."""

    pid: int
    ppid: int
    pgid: int | None
    sid: int | None
    argv: str
    exit_status: int | None
    survived: bool
    time_to_exit_ms: float | None
    time_to_reap_ms: float | None


@dataclass(frozen=True, slots=True)
class TracedFinding:
    """One finding; `file` is empty and `line` None where the source is not known."""

    mechanism: Mechanism
    file: str
    line: int | None
    score: float
    evidence: Mapping[str, Any]
    test_id: int | None = None
    """The test that it happened in, where the runner said so; else it is the trace's."""


@dataclass(frozen=True, slots=True)
class StoredTrace:
    """One traced run as it goes into the database; `test_id` is None for a command that is no known test."""

    test_id: int | None
    command: str
    exit_code: int | None
    duration_s: float
    summary: Mapping[str, Any]
    machine: Mapping[str, Any]
    processes: Sequence[TracedProcess]
    findings: Sequence[TracedFinding]
    started_at: datetime


def write_trace(connection: Connection, project_id: int, trace: StoredTrace) -> int:
    """Insert the trace and return the id of its experiment; the caller commits."""
    experiment = connection.execute(
        insert(Experiment)
        .values(
            project_id=project_id,
            test_case_id=trace.test_id,
            command=trace.command,
            verdict=None,
            mechanism=trace.findings[0].mechanism if trace.findings else None,
            started_at=trace.started_at,
            finished_at=utc_now(),
            summary=dict(trace.summary),
            machine=dict(trace.machine),
        )
        .returning(Experiment.id)
    ).scalar_one()
    trial = connection.execute(
        insert(Trial)
        .values(
            experiment_id=experiment,
            arm="trace",
            stressor="none",
            group_kill="",
            ordinal=1,
            outcome=_outcome(trace.exit_code),
            exit_code=trace.exit_code,
            duration_s=trace.duration_s,
            message="",
        )
        .returning(Trial.id)
    ).scalar_one()
    if trace.processes:
        connection.execute(insert(ProcessExit), [_process(int(trial), process) for process in trace.processes])
    if trace.findings:
        connection.execute(insert(Finding), [_finding(trace, finding) for finding in trace.findings])
    return int(experiment)


def _outcome(exit_code: int | None) -> TrialOutcome:
    if exit_code is None:
        return TrialOutcome.HUNG
    return TrialOutcome.PASSED if exit_code == 0 else TrialOutcome.FAILED


def _process(trial_id: int, process: TracedProcess) -> dict[str, Any]:
    return {
        "trial_id": trial_id,
        "pid": process.pid,
        "ppid": process.ppid,
        "pgid": process.pgid,
        "sid": process.sid,
        "argv": process.argv,
        "state": "S" if process.survived else "",
        "exit_status": process.exit_status,
        "survived": process.survived,
        "time_to_exit_ms": process.time_to_exit_ms,
        "time_to_reap_ms": process.time_to_reap_ms,
    }


def _finding(trace: StoredTrace, finding: TracedFinding) -> dict[str, Any]:
    return {
        "test_case_id": finding.test_id or trace.test_id,
        "mechanism": finding.mechanism,
        "source": EvidenceSource.TRACE,
        "file": finding.file,
        "line": finding.line,
        "score": finding.score,
        "evidence": dict(finding.evidence),
        "created_at": trace.started_at,
    }


@dataclass(frozen=True, slots=True)
class Stressed:
    """What `repro` has seen of a test under one stressor: how often it failed, and how long its processes took to end.

    `deaths` holds (command line, milliseconds): from the first signal where a tracer saw it, else from the end of the
    test, which is later, so that the time is too short.
    """

    stressor: str
    failures: int
    trials: int
    deaths: Sequence[tuple[str, float]]


@dataclass(frozen=True, slots=True)
class Observed:
    """What is known of a test's failures from elsewhere: its flake rate in CI (value, low, high), and its stress."""

    rate: tuple[float, float, float] | None = None
    stressed: Sequence[Stressed] = ()


def observed(connection: Connection, test_id: int | None, *, experiment: int | None = None) -> Observed:
    """Return the flake rate that `detect` has found for a test, and what `repro` has seen of it under load.

    With `experiment` only the trials of that one are meant. Trials without a stressor, and those that held one process
    back for a chosen time, say nothing of a loaded machine.
    """
    verdict = connection.execute(
        select(TestVerdict.flake_rate, TestVerdict.flake_rate_low, TestVerdict.flake_rate_high).where(
            TestVerdict.test_case_id == test_id
        )
    ).first()
    loads = Trial.stressor.not_in(("none", "control")) & Trial.stressor.not_like("%delay:%")
    ours = (Experiment.test_case_id == test_id if experiment is None else Experiment.id == experiment, loads)
    outcomes: dict[str, Counter[TrialOutcome]] = defaultdict(Counter)
    tried = (
        select(Trial.stressor, Trial.outcome, func.count())
        .join(Experiment, Experiment.id == Trial.experiment_id)
        .where(*ours, Trial.arm.in_(FLAWED_ARMS))
        .group_by(Trial.stressor, Trial.outcome)
        .order_by(Trial.stressor)
    )
    for stressor, outcome, count in connection.execute(tried):
        outcomes[stressor][outcome] = count
    deaths: dict[str, list[tuple[str, float]]] = defaultdict(list)
    ended = (
        select(Trial.stressor, ProcessExit.argv, ProcessExit.time_to_exit_ms)
        .join(Trial, Trial.id == ProcessExit.trial_id)
        .join(Experiment, Experiment.id == Trial.experiment_id)
        .where(*ours, ProcessExit.time_to_exit_ms.is_not(None))
    )
    for stressor, argv, time in connection.execute(ended):
        deaths[stressor].append((argv, float(time or 0.0)))
    stressed = []
    for stressor in sorted({*outcomes, *deaths}):
        counts = outcomes[stressor]
        failures = counts[TrialOutcome.FAILED]
        stressed.append(Stressed(stressor, failures, failures + counts[TrialOutcome.PASSED], deaths[stressor]))
    return Observed(None if verdict is None else (verdict[0], verdict[1], verdict[2]), stressed)
