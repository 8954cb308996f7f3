"""Predicted failure rates, beside those that were seen of the same test."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sample import V1S, judge
from sqlalchemy import func, insert, select

from flakehunter.cli.app import main
from flakehunter.db.engine import open_database
from flakehunter.db.queries.experiments import ProcessRow, TrialRow, add_trial, begin_experiment
from flakehunter.db.queries.traces import Observed, Stressed, observed
from flakehunter.db.schema import Finding, TestCase, TestVerdict
from flakehunter.db.write import ensure_project
from flakehunter.model import Mechanism, TestIdentity, TrialOutcome, Verdict
from flakehunter.trace.predict import TimeToDeath, compared, predicted_rates

NOW = datetime(2026, 11, 1, tzinfo=UTC)


def test_percentiles_of_the_distribution_are_those_it_was_made_of() -> None:
    one = TimeToDeath("", 12, 24)
    assert one.longer_than(12) == pytest.approx(0.5)
    assert one.longer_than(24) == pytest.approx(0.1)
    assert one.longer_than(0) == 1.0


def test_later_looks_fail_less_often() -> None:
    [finding] = judge(V1S)
    rates = predicted_rates(finding)
    assert rates["plain"] < rates["8 busy workers"] < rates["32 busy workers"]


def test_measured_deaths_of_the_same_command_predict_what_is_compared() -> None:
    [finding] = judge(V1S)  # looked at 20.5 ms after the signal
    times = [("sleep 30", 10.0), ("sleep 30", 19.0), ("sleep 30", 22.0), ("sleep 30", 400.0), ("bash -c", 900.0)]
    [one] = compared(finding, [Stressed("cpu:8", 3, 10, times)])
    assert (one.predicted, one.deaths, one.trials, one.observed.value) == (0.5, 4, 10, 0.3)
    assert one.observed.low < 0.3 < one.observed.high
    [other] = compared(finding, [Stressed("io:2", 0, 5, [("bash -c", 900.0)])])
    assert (other.predicted, other.deaths) == (None, 0)


def test_readiness_is_not_decided_by_the_time_to_death() -> None:
    [finding] = judge(V1S)
    early = type(finding)(Mechanism.SIGNAL_BEFORE_READY, finding.victim, finding.looker, "", 0.1)
    assert predicted_rates(early) == {}
    assert list(compared(early, [Stressed("cpu:8", 1, 2, [("sleep 30", 1.0)])])) == []


def test_what_was_seen_comes_from_trials_under_load_and_from_ci(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path / 'test.db'}", create=True)
    identity = TestIdentity("default", "pytest", "test_group", "test_ends")
    with engine.begin() as connection:
        case = {"project_id": ensure_project(connection, "default"), "key": identity.key, "suite": identity.suite}
        names = {"classname": identity.classname, "name": identity.name, "framework": "pytest", "file": ""}
        test = connection.execute(insert(TestCase).values(**case, **names).returning(TestCase.id)).scalar_one()
        assert observed(connection, test) == Observed(None, [])
        experiment = begin_experiment(
            connection, project="default", test_case_id=test, command="x", started_at=NOW, machine={}
        )
        rows = [
            ("flawed", "none", TrialOutcome.FAILED),
            ("flawed", "delay:exit:60", TrialOutcome.FAILED),
            ("flawed", "cpu:8", TrialOutcome.FAILED),
            ("flawed", "cpu:8", TrialOutcome.PASSED),
            ("flawed", "cpu:8", TrialOutcome.ERRORED),
            ("fixed", "cpu:8", TrialOutcome.PASSED),
        ]
        for ordinal, (arm, stressor, outcome) in enumerate(rows, 1):
            process = ProcessRow(7, 1, 7, 7, "sleep 30", "", -15, False, 10.0 * ordinal, None)
            add_trial(connection, experiment, TrialRow(arm, stressor, "", ordinal, outcome, 0, 0.1, ""), [process])
        verdict = {"verdict": Verdict.FLAKY, "p_flaky": 0.9, "evidence": [], "decided_at": NOW, "since_commit": ""}
        rate = {"flake_rate": 0.1, "flake_rate_low": 0.05, "flake_rate_high": 0.2}
        connection.execute(insert(TestVerdict).values(test_case_id=test, **verdict, **rate))
        found = observed(connection, test)
    engine.dispose()
    assert found.rate == (0.1, 0.05, 0.2)
    deaths = [("sleep 30", 30.0), ("sleep 30", 40.0), ("sleep 30", 50.0), ("sleep 30", 60.0)]
    assert found.stressed == [Stressed("cpu:8", 1, 2, deaths)]


@pytest.mark.usefixtures("strace")
def test_repro_traces_each_arm_and_compares_with_its_trials(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    flawed, fixed = (tmp_path / f"{name}.py" for name in ("flawed", "fixed"))
    program = "import subprocess, time\nchild = subprocess.Popen(['sleep', '30'])\nchild.terminate()\n"
    flawed.write_text(program + "time.sleep(0.5)\nassert child.poll() is not None\n")
    fixed.write_text(program + "child.wait(60)\n")
    url = f"sqlite:///{tmp_path / 'test.db'}"
    words = ["repro", "--trace", "--db", url, "--stress", "cpu:2", "--trials", "2"]
    fix = ["--fix", f"{sys.executable} {fixed}", "--", sys.executable, str(flawed)]
    assert main([*words, "--json", *fix]) == 0
    first, second = json.loads(capfd.readouterr().out)["traces"]
    [finding] = first["findings"]
    assert (first["arm"], finding["mechanism"], finding["file"]) == ("flawed", "fixed-sleep", str(flawed))
    assert (second["arm"], second["findings"]) == ("fixed", [])
    [one] = finding["compared"]
    assert one["stressor"].startswith("cpu:2")
    assert one["trials"] == 2
    engine = open_database(url)
    with engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(Finding)) == 1
    engine.dispose()
