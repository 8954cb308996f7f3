"""The journal of an experiment: a file until a trial has failed, the database from then on."""

import sys
from pathlib import Path

import pytest
from sqlalchemy import select

from flakehunter.db.engine import open_database
from flakehunter.db.queries.experiments import processes_of, trials_of
from flakehunter.db.schema import Experiment
from flakehunter.errors import DatabaseError
from flakehunter.model import TrialOutcome
from flakehunter.repro.bench import Arm, TrialResult
from flakehunter.repro.command import plain_command
from flakehunter.repro.journal import Journal, main, store
from flakehunter.repro.outcome import Judgement
from flakehunter.repro.trial import ProcessRecord, TrialReport

EXPERIMENT = {"project": "default", "test_case_id": None, "command": "bash x.sh", "machine": {"cpus": 2}}


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'journal.db'}"


def result(ordinal: int, outcome: TrialOutcome) -> TrialResult:
    process = ProcessRecord(1, 7, 6, 7, 7, "bash x.sh", "Z", False, 0, 1.5, 2.5, False, depth=0, parent_index=0)
    arm = Arm("plain", plain_command(["bash", "x.sh"], Path.cwd()), "none")
    report = TrialReport(0, False, 0.25, (process,), True)
    return TrialResult(arm, ordinal, Judgement(outcome, "said"), report, 0.25, "none", "here")


def stored(url: str) -> list[tuple[int, list[tuple[int, TrialOutcome]]]]:
    engine = open_database(url)
    with engine.connect() as connection:
        found = [
            (experiment, [(trial.ordinal, trial.outcome) for _, trial in trials_of(connection, experiment)])
            for experiment in connection.scalars(select(Experiment.id))
        ]
    engine.dispose()
    return found


def test_nothing_is_in_the_database_until_a_trial_fails_and_all_is_from_then_on(url: str, tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    journal = Journal(path, url, EXPERIMENT)
    journal.trial(result(1, TrialOutcome.PASSED))
    assert not (tmp_path / "journal.db").exists()
    journal.trial(result(2, TrialOutcome.FAILED))
    assert not path.exists()
    assert stored(url) == [(journal.experiment_id, [(1, TrialOutcome.PASSED), (2, TrialOutcome.FAILED)])]
    journal.trial(result(3, TrialOutcome.ERRORED))
    journal.close()
    [(experiment, trials)] = stored(url)
    assert trials[2] == (3, TrialOutcome.ERRORED)
    engine = open_database(url)
    with engine.connect() as connection:
        [first, second, _] = trials_of(connection, experiment)
        [process] = processes_of(connection, first[0])
        assert (first[1].message, second[1].message, first[1].host) == ("", "said", "here")
        assert (process.pid, process.state, process.time_to_exit_ms, process.time_to_reap_ms) == (7, "Z", 1.5, 2.5)
        assert process.timeline is not None
        assert process.timeline["depth"] == 0
    engine.dispose()


def test_what_a_killed_harness_left_is_stored_once_and_without_a_torn_line(url: str, tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    journal = Journal(path, url, EXPERIMENT)
    journal.trial(result(1, TrialOutcome.PASSED))
    journal.close()
    with path.open("ab") as file:
        file.write(b'[{"arm": "pla')
    for _ in range(2):
        engine, _ = store(path)
        engine.dispose()
    assert [trials for _, trials in stored(url)] == [[(1, TrialOutcome.PASSED)]]


def test_a_relative_database_is_found_from_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "journal.jsonl"
    monkeypatch.chdir(tmp_path)
    Journal(path, "sqlite:///relative.db", EXPERIMENT).close()
    monkeypatch.chdir("/")
    monkeypatch.setattr(sys, "argv", ["-c", str(path)])
    main()
    assert len(stored(f"sqlite:///{tmp_path / 'relative.db'}")) == 1


def test_a_database_that_breaks_meanwhile_is_told(url: str, tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl", url, EXPERIMENT)
    (tmp_path / "journal.db").write_text("no database")
    with pytest.raises(DatabaseError):
        journal.trial(result(1, TrialOutcome.FAILED))
    journal.close()
