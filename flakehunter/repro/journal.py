"""Where trials are written down as they happen: a file until one has failed, the database from then on.

The database's library takes longer to import than a whole search may need for its first failure, so it comes after
that. A killed harness loses no trial that ended: the caretaker stores the file that it finds, by `main`. A line of the
file is JSON: first the experiment, then [trial, processes] for each.
"""

import json
import os
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flakehunter.clock import utc_now
from flakehunter.model import TrialOutcome
from flakehunter.repro.bench import TrialResult
from flakehunter.repro.experiment import Outcome

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

MESSAGE_LIMIT = 2000

FROM_RECORD = ("pid", "ppid", "pgid", "sid", "argv", "state", "exit_status", "survived", "timeline")
"""What a row of the database has of a process under the same name as the report."""


class Journal:
    """The record of one experiment; `path` is a file that is made, and gone once its lines are in the database."""

    def __init__(self, path: Path, url: str, experiment: dict[str, Any]) -> None:
        """Begin it; `experiment` is what `begin_experiment` takes, but for the time, which is now."""
        self._path = path
        self._file = path.open("xb", buffering=0)  # each line by one system call: it is there or it is not
        self._engine: Engine | None = None
        self.experiment_id = 0
        """Row id; 0 as long as it is in no database."""
        began = {"started_at": utc_now().isoformat()}
        self._write({"url": url, "folder": str(Path.cwd()), "experiment": experiment | began})

    def trial(self, result: TrialResult) -> None:
        """Keep one trial and its processes."""
        line = _trial_row(result)
        if self._engine is None:
            self._write(line)
            if result.judgement.outcome is TrialOutcome.FAILED:
                self._settle()
        else:
            self._change(lambda connection: _add(connection, self.experiment_id, line))

    def finish(self, outcome: Outcome, document: dict[str, Any]) -> None:
        """Keep the verdict."""
        if self._engine is None:
            self._settle()
        from flakehunter.db.queries.experiments import finish_experiment

        self._change(
            lambda connection: finish_experiment(
                connection,
                self.experiment_id,
                verdict=outcome.verdict,
                mechanism=outcome.mechanism,
                summary=document,
                finished_at=utc_now(),
            )
        )

    def close(self) -> None:
        """Let go of file and database."""
        self._file.close()
        if self._engine is not None:
            self._engine.dispose()

    def _write(self, line: object) -> None:
        self._file.write(json.dumps(line).encode() + b"\n")

    def _settle(self) -> None:
        self._file.close()
        try:
            self._engine, self.experiment_id = store(self._path)
        finally:
            self._path.unlink(missing_ok=True)  # where the database refuses, the caretaker would be refused, too

    def _change(self, change: "Callable[[Connection], None]") -> None:
        assert self._engine is not None
        with self._engine.begin() as connection:
            change(connection)


def _trial_row(result: TrialResult) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return what TrialRow and each ProcessRow of the database take, as JSON has it."""
    report, judgement = result.report, result.judgement
    trial = {
        "arm": result.arm.name,
        "stressor": result.stressor,
        "group_kill": result.arm.group_kill,
        "ordinal": result.ordinal,
        "outcome": judgement.outcome,
        "exit_code": None if report is None else report.status,
        "duration_s": result.duration_s,
        "host": result.host,
        "message": "" if judgement.outcome is TrialOutcome.PASSED else judgement.message[:MESSAGE_LIMIT],
    }
    processes = [
        {name: getattr(record, name) for name in FROM_RECORD}
        | {"time_to_exit_ms": record.exit_ms, "time_to_reap_ms": record.reap_ms}
        for record in (() if report is None else report.processes)
    ]
    return trial, processes


def _add(connection: "Connection", experiment_id: int, line: tuple[dict[str, Any], list[dict[str, Any]]]) -> None:
    from flakehunter.db.queries.experiments import ProcessRow, TrialRow, add_trial

    trial, processes = line
    row = TrialRow(**trial | {"outcome": TrialOutcome(trial["outcome"])})
    add_trial(connection, experiment_id, row, [ProcessRow(**process) for process in processes])


def _read(path: Path) -> list[Any]:
    """Return what the whole lines say; the last one may have been torn."""
    whole, _, _torn = path.read_bytes().rpartition(b"\n")
    return [json.loads(line) for line in whole.splitlines()]


def store(path: Path) -> "tuple[Engine, int]":
    """Put a journal into its database, in one transaction and once; return the open database and the experiment's id.

    Raises:
        DatabaseError: the database cannot be used.
    """
    from flakehunter.db.engine import open_database
    from flakehunter.db.queries.experiments import begin_experiment, find_experiment

    head, *lines = _read(path)
    experiment = head["experiment"] | {"started_at": datetime.fromisoformat(head["experiment"]["started_at"])}
    engine = open_database(head["url"], create=True)
    try:
        with engine.begin() as connection:
            # The harness may have been killed when it had stored the file, but not removed it yet.
            found = find_experiment(connection, command=experiment["command"], started_at=experiment["started_at"])
            if found is not None:
                return engine, found
            experiment_id = begin_experiment(connection, **experiment)
            for line in lines:
                _add(connection, experiment_id, line)
    except BaseException:
        engine.dispose()
        raise
    return engine, experiment_id


def main() -> None:
    """Store the journal of a harness that was killed: the first argument."""
    path = Path(sys.argv[1])
    os.chdir(_read(path)[0]["folder"])  # the database's URL may hold a path that is relative to it
    engine, _ = store(path)
    engine.dispose()
