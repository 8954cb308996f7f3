"""What the pages make of experiments: times to death, traced runs, arms."""

from pathlib import Path

import pytest
from report_builder import Builder, arm

from flakehunter.db.engine import open_database
from flakehunter.model import ReproVerdict
from flakehunter.report import charts
from flakehunter.report.build import build_site
from flakehunter.report.experiments import deadline_s
from flakehunter.report.views import TestPage


@pytest.mark.parametrize(
    ("slowest_ms", "deadline"), [(0, 1), (3, 1), (100, 1), (101, 2), (199, 2), (450, 5), (600, 10), (5_100, 100)]
)
def test_deadline_is_ten_times_the_slowest_rounded_up(slowest_ms: float, deadline: float) -> None:
    assert deadline_s(slowest_ms) == deadline


def page(path: Path) -> TestPage:
    engine = open_database(f"sqlite:///{path}")
    with engine.connect() as connection:
        (found,) = build_site(connection).pages
    engine.dispose()
    return found


def build(path: Path) -> Builder:
    return Builder(path)


def test_times_to_death_are_grouped_by_stressor_and_backend(tmp_path: Path) -> None:
    with build(tmp_path / "x.db") as builder:
        test = builder.test("one")
        builder.results(test, [builder.run("c1")], "F")
        builder.verdict(test)
        first = builder.experiment(test, {"arms": []})
        builder.trials(first, "cpu:8", [30.0, 10.0, 20.0])
        builder.trials(first, "cpu:8", [400.0], group_kill="cgroup")
        second = builder.experiment(test, {"arms": []})
        builder.trials(second, "cpu:8", [5.0])
    found = page(tmp_path / "x.db")
    assert [(group.stressor, group.group_kill, list(group.times_ms), group.deadline_s) for group in found.deaths] == [
        ("cpu:8", "cgroup", [400.0], 5),
        ("cpu:8", "process-group", [5.0, 10.0, 20.0, 30.0], 1),
    ]
    drawn = charts.deaths(found.deaths)
    assert "cpu:8 / process-group: 4 processes, half gone after 10 ms, the last after 30 ms" in drawn


def test_arms_are_counted_from_the_trials_where_the_document_has_none(tmp_path: Path) -> None:
    with build(tmp_path / "x.db") as builder:
        test = builder.test("one")
        builder.results(test, [builder.run("c1")], "F")
        builder.verdict(test)
        builder.trials(builder.experiment(test, {}, verdict=ReproVerdict.UNDECIDED), "cpu:8", [1.0] * 12)
    ((arm,),) = [view.arms for view in page(tmp_path / "x.db").experiments]
    assert (arm.name, arm.stressor, arm.group_kill, arm.trials, arm.failures) == (
        "flawed",
        "cpu:8",
        "process-group",
        12,
        0,
    )
    assert arm.rate.high == pytest.approx(0.2646, abs=1e-3)


def test_a_traced_run_is_no_reproduction_and_has_a_timeline(tmp_path: Path) -> None:
    finding = {"pid": 7, "argv": ["sleep", "30"], "text": "looked once", "slack_ms": 1.5}
    with build(tmp_path / "x.db") as builder:
        test = builder.test("one")
        builder.results(test, [builder.run("c1")], "F")
        builder.verdict(test)
        builder.trace(test, [{**finding, "signal_ms": 10, "exit_ms": 12, "reap_ms": None, "look_ms": 13.5}])
    found = page(tmp_path / "x.db")
    assert found.experiments == []
    assert found.trace
    assert found.trace.events[0].moments == [("signal", 10.0), ("exit", 12.0), ("look", 13.5)]
    drawn = charts.timeline(found.trace)
    assert drawn
    assert "7 sleep 30: signal at 0.00 ms, exit at 2.00 ms, look at 3.50 ms" in drawn


@pytest.mark.parametrize(
    "findings", [[], [{"pid": 1}], ["no object"], [{"signal_ms": float("inf"), "exit_ms": "late"}]]
)
def test_a_trace_without_times_has_no_timeline(tmp_path: Path, findings: list[object]) -> None:
    with build(tmp_path / "x.db") as builder:
        test = builder.test("one")
        builder.results(test, [builder.run("c1")], "F")
        builder.verdict(test)
        builder.trace(test, findings)  # type: ignore[arg-type]
    found = page(tmp_path / "x.db").trace
    assert found
    assert charts.timeline(found) is None


def test_rates_are_pooled_by_stress_and_group_kill_without_the_fix(tmp_path: Path) -> None:
    with build(tmp_path / "x.db") as builder:
        test = builder.test("one")
        builder.results(test, [builder.run("c1")], "F")
        builder.verdict(test)
        fenced = {**arm("flawed", "cpu:8", 0, 30, 0, 0.1), "group_kill": "cgroup"}
        hung = {**arm("flawed", "none", 1, 12, 0, 0.4), "hangs": 2}
        builder.experiment(test, {"arms": [arm("flawed", "cpu:8", 5, 10, 0, 1), arm("fixed", "cpu:8", 0, 60, 0, 1)]})
        builder.experiment(test, {"arms": [arm("flawed", "cpu:8", 3, 10, 0, 1), fenced, hung]})
    table = page(tmp_path / "x.db").rates
    assert table is not None
    assert list(table.group_kills) == ["cgroup", "process-group"]
    (first, (none, plain)), (second, (inside, outside)) = table.rows
    assert (first, second, none) == ("none", "cpu:8", None)
    assert plain is not None
    assert inside is not None
    assert outside is not None
    assert [(cell.failures, cell.trials) for cell in (plain, inside, outside)] == [(1, 10), (0, 30), (8, 20)]
    assert outside.rate.low < 0.4 < outside.rate.high


def test_predicted_rates_stand_beside_the_observed_ones(tmp_path: Path) -> None:
    with build(tmp_path / "x.db") as builder:
        test = builder.test("one")
        builder.results(test, [builder.run("c1")], "F")
        builder.verdict(test)
        builder.experiment(test, {"arms": [arm("flawed", "cpu:8", 5, 10, 0, 1), arm("flawed", "none", 0, 20, 0, 1)]})
        early = {"pid": 7, "predicted_rates": {"plain": 0.01, "8 busy workers": 0.4, "32 busy workers": 0.8}}
        early["compared"] = [{"stressor": "cpu:8", "predicted": 0.5}, {"stressor": "io:2", "predicted": None}]
        builder.trace(test, [{"pid": 6, "predicted_rates": {"plain": 0.001}}, early, {"pid": 8}])
    rows = page(tmp_path / "x.db").predictions
    assert [(row.load, row.predicted, row.observed and row.observed.failures) for row in rows] == [
        ("plain", 0.01, 0),
        ("8 busy workers", 0.4, 5),
        ("32 busy workers", 0.8, None),
        ("cpu:8", 0.5, 5),
    ]
