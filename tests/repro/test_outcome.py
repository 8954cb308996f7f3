"""A failure counts only when it is the test's own."""

from pathlib import Path

import pytest

from flakehunter.model import TrialOutcome
from flakehunter.repro.outcome import judge
from flakehunter.repro.trial import TrialReport


def report(status: int | None, *, hung: bool = False) -> TrialReport:
    return TrialReport(status=status, hung=hung, duration_s=0.1, processes=(), clean=True)


def outcome(
    status: int | None, junit: Path | None = None, *, test: str | None = None, pytest_: bool = False
) -> TrialOutcome:
    return judge(report(status), junit=junit, test=test, is_pytest=pytest_, time_limit_s=5).outcome


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (0, TrialOutcome.PASSED),
        (1, TrialOutcome.FAILED),
        (3, TrialOutcome.FAILED),
        (-6, TrialOutcome.FAILED),
        (-9, TrialOutcome.ERRORED),
        (-15, TrialOutcome.ERRORED),
        (127, TrialOutcome.ERRORED),
        (None, TrialOutcome.ERRORED),
    ],
    ids=str,
)
def test_exit_status_of_any_command(status: int | None, expected: TrialOutcome) -> None:
    assert outcome(status) is expected


@pytest.mark.parametrize(("status", "expected"), [(1, "failed"), (2, "errored"), (4, "errored"), (5, "errored")])
def test_exit_status_of_pytest(status: int, expected: str) -> None:
    assert outcome(status, pytest_=True).value == expected


def test_a_trial_over_its_time_limit_hung() -> None:
    judged = judge(report(None, hung=True), junit=None, test=None, is_pytest=False, time_limit_s=5)
    assert (judged.outcome, judged.message) == (TrialOutcome.HUNG, "still running after 5 s")


@pytest.mark.parametrize(
    ("inner", "expected"),
    [
        ('<testcase name="t"/>', "passed"),
        ('<testcase name="t"><failure message="no"/></testcase>', "failed"),
        ('<testcase name="t"><error message="teardown"/></testcase>', "failed"),
        ('<testcase name="tests.test_x"><error message="collection failure"/></testcase>', "errored"),
        ('<testcase name="t"/><testcase name="other"><failure/></testcase>', "passed"),
        ('<testcase name="t"><skipped/></testcase>', "errored"),
        ("", "errored"),
        ("<testcase", "errored"),
    ],
    ids=["pass", "failure", "own-error", "collection", "other-failed", "skipped", "empty", "broken"],
)
def test_junit_decides_over_the_exit_status(tmp_path: Path, inner: str, expected: str) -> None:
    junit = tmp_path / "junit.xml"
    junit.write_text(f"<testsuites><testsuite>{inner}</testsuite></testsuites>")
    assert outcome(1, junit, test="t", pytest_=True).value == expected


def test_a_missing_junit_file_is_the_runner_s_trouble(tmp_path: Path) -> None:
    judged = judge(report(0), junit=tmp_path / "no.xml", test="t", is_pytest=True, time_limit_s=5)
    assert judged.outcome is TrialOutcome.ERRORED
    assert "no JUnit file" in judged.message


def test_an_entity_bomb_is_refused(tmp_path: Path) -> None:
    junit = tmp_path / "junit.xml"
    junit.write_text('<!DOCTYPE x [<!ENTITY a "a">]><testsuite><testcase name="t"/></testsuite>')
    assert outcome(0, junit, test="t") is TrialOutcome.ERRORED
