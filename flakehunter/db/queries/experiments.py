"""Write and read experiments: their trials, and the processes of each trial."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from flakehunter.db.schema import Base, Experiment, ProcessExit, Project, TestVerdict, Trial
from flakehunter.model import Mechanism, ReproVerdict, TrialOutcome


@dataclass(frozen=True, slots=True)
class ProcessRow:
    """One process of a trial, as the table has it."""

    pid: int
    ppid: int
    pgid: int | None
    sid: int | None
    argv: str
    state: str
    exit_status: int | None
    survived: bool
    time_to_exit_ms: float | None
    time_to_reap_ms: float | None
    timeline: dict[str, Any] | None = None
    """What a tracer saw of it, see the table."""


@dataclass(frozen=True, slots=True)
class TrialRow:
    """One trial, as the table has it."""

    arm: str
    stressor: str
    group_kill: str
    ordinal: int
    outcome: TrialOutcome
    exit_code: int | None
    duration_s: float
    message: str
    host: str = ""


def _insert(connection: Connection, table: type[Base], values: Mapping[str, Any]) -> int:
    key = connection.execute(insert(table).values(**values)).inserted_primary_key
    assert key is not None
    return int(key[0])


def begin_experiment(
    connection: Connection,
    *,
    project: str,
    test_case_id: int | None,
    command: str,
    started_at: datetime,
    machine: Mapping[str, Any],
) -> int:
    """Add an experiment without a verdict, and its project where that is new; return the row id."""
    project_id = connection.scalar(select(Project.id).where(Project.name == project))
    if project_id is None:
        project_id = _insert(connection, Project, {"name": project})
    values = {
        "project_id": project_id,
        "test_case_id": test_case_id,
        "command": command,
        "started_at": started_at,
        "summary": {},
        "machine": dict(machine),
    }
    return _insert(connection, Experiment, values)


def suspected_mechanism(connection: Connection, test_case_id: int) -> Mechanism | None:
    """Return the mechanism that `detect` suspects for a test; None where it has none."""
    return connection.scalar(select(TestVerdict.mechanism).where(TestVerdict.test_case_id == test_case_id))


def find_experiment(connection: Connection, *, command: str, started_at: datetime) -> int | None:
    """Return the row id of the experiment of `command` that began at `started_at`; None where there is none."""
    found = select(Experiment.id).where(Experiment.command == command, Experiment.started_at == started_at)
    return connection.scalar(found)


def add_trial(connection: Connection, experiment_id: int, trial: TrialRow, processes: Sequence[ProcessRow]) -> int:
    """Add a trial with its processes; return its row id."""
    values = {name: getattr(trial, name) for name in TrialRow.__slots__}
    trial_id = _insert(connection, Trial, {"experiment_id": experiment_id, **values})
    if processes:
        rows = [
            {"trial_id": trial_id, **{name: getattr(row, name) for name in ProcessRow.__slots__}} for row in processes
        ]
        connection.execute(insert(ProcessExit), rows)
    return trial_id


def finish_experiment(
    connection: Connection,
    experiment_id: int,
    *,
    verdict: ReproVerdict,
    mechanism: Mechanism | None,
    summary: Mapping[str, Any],
    finished_at: datetime,
) -> None:
    """Write down what came out of an experiment."""
    connection.execute(
        update(Experiment)
        .where(Experiment.id == experiment_id)
        .values(verdict=verdict, mechanism=mechanism, summary=dict(summary), finished_at=finished_at)
    )


def trials_of(connection: Connection, experiment_id: int) -> list[tuple[int, TrialRow]]:
    """Return (row id, trial) of an experiment, in the order they ran."""
    columns = [getattr(Trial, name) for name in TrialRow.__slots__]
    query = select(Trial.id, *columns).where(Trial.experiment_id == experiment_id).order_by(Trial.ordinal)
    return [(row[0], TrialRow(*row[1:])) for row in connection.execute(query)]


def processes_of(connection: Connection, trial_id: int) -> list[ProcessRow]:
    """Return the processes of a trial, in order of creation."""
    columns = [getattr(ProcessExit, name) for name in ProcessRow.__slots__]
    query = select(*columns).where(ProcessExit.trial_id == trial_id).order_by(ProcessExit.id)
    return [ProcessRow(*row) for row in connection.execute(query)]
