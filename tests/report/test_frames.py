"""`flakehunter.load`: the database as tidy frames, read lazily, names instead of row ids."""

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from report_builder import Builder, team_history

import flakehunter
from flakehunter.errors import NothingToDoError
from flakehunter.report.frames import FRAMES, History


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    path = tmp_path_factory.mktemp("frames") / "team.db"
    team_history(path)
    return flakehunter.load(path)


def test_results_are_tidy(history: History) -> None:
    results = history.results
    assert len(results) == 420
    assert list(results.columns) == [
        "test", "run_id", "commit", "branch", "job", "run_attempt", "started_at", "attempt", "outcome", "duration_s",
        "fingerprint",
    ]  # fmt: skip
    failed = results[results["outcome"] == "failed"]
    assert len(failed) == 9 + 3 + 9 + 1
    assert failed["fingerprint"].notna().all()
    assert results.loc[results["outcome"] == "passed", "fingerprint"].isna().all()
    assert isinstance(results["started_at"].dtype, pd.DatetimeTZDtype)
    assert set(results["job"]) == {"linux-pytest", "linux-vitest", "windows-pytest"}


def test_frames_join_on_the_test(history: History) -> None:
    rates = history.results.assign(bad=history.results["outcome"].isin(["failed", "errored"]))
    rates = rates.groupby("test", observed=True)["bad"].mean()
    joined = history.verdicts.set_index("test").join(rates.rename("observed"))
    worst = joined.sort_values("observed").iloc[-1]
    assert worst.name.endswith("test_abort_kills_the_group") or worst["verdict"] == "broken"
    assert set(history.verdicts["test"]) == set(history.tests["test"])


@pytest.mark.parametrize("name", FRAMES)
def test_every_frame_can_be_read_and_written(history: History, name: str, tmp_path: Path) -> None:
    frame = getattr(history, name)
    assert getattr(history, name) is frame, "read once"
    frame.to_csv(tmp_path / "x.csv", index=False)
    back = pd.read_csv(tmp_path / "x.csv")
    assert list(back.columns) == list(frame.columns)
    assert len(back) == len(frame)


def test_one_project_has_only_its_own_rows(tmp_path: Path) -> None:
    with Builder(tmp_path / "x.db", project="one") as build:
        build.results(build.test("a"), [build.run("c1")], ".")
    engine_path = tmp_path / "x.db"
    with Builder(engine_path, project="two") as build:
        build.results(build.test("b"), [build.run("c2")], "F", failure=build.failure("no"))
    one, two = (flakehunter.load(engine_path, project=name) for name in ("one", "two"))
    assert [len(getattr(one, name)) for name in ("runs", "tests", "results", "failures")] == [1, 1, 1, 0]
    assert list(two.results["test"]) == ["pytest::tests.test_group::b"]
    assert len(flakehunter.load(engine_path).results) == 2


def test_what_is_not_there_is_an_error_that_says_so(tmp_path: Path) -> None:
    with pytest.raises(NothingToDoError, match="there is no database"):
        flakehunter.load(tmp_path / "none.db")
    with Builder(tmp_path / "x.db"):
        pass
    with pytest.raises(NothingToDoError, match="no project 'other'"):
        flakehunter.load(tmp_path / "x.db", project="other")
    with pytest.raises(AttributeError):
        flakehunter.nothing  # noqa: B018


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = "import flakehunter, sys; print(sorted(set(sys.modules) & {'sqlalchemy', 'pandas', 'typer', 'numpy'}))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
