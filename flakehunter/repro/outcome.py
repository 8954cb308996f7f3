"""Tell a failure of the test from one of the runner: by the trial's JUnit file, or by the exit status without one."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from flakehunter.model import TrialOutcome
from flakehunter.repro.rooms import here
from flakehunter.repro.trial import TrialReport

if TYPE_CHECKING:
    import xml.etree.ElementTree as ET

JUNIT_LIMIT = 32 * 1024 * 1024
"""Bytes; a trial runs one test, so a larger file is not what was asked for."""

PYTEST_FAILED = 1
"""pytest's status for "tests ran and some failed"; 2 to 5 are its own troubles (pytest.ExitCode)."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """Outcome of a trial, and why in words."""

    outcome: TrialOutcome
    message: str = ""


def judge(
    report: TrialReport, *, junit: Path | None, test: str | None, is_pytest: bool, time_limit_s: float
) -> Judgement:
    """Return what a trial says of the test.

    Args:
        report: what the supervisor saw.
        junit: the JUnit file that the trial should have written, None when it writes none.
        test: name of the test case that was meant; None for all in the file.
        is_pytest: whether exit status 2 to 5 means what it means for pytest.
        time_limit_s: for the message of a trial that hung.
    """
    if report.hung:
        return Judgement(TrialOutcome.HUNG, f"still running after {time_limit_s:g} s")
    status = report.status
    if status is None:
        return Judgement(TrialOutcome.ERRORED, "the command ended, but not seen by its supervisor")
    if killer := here.ended_from_outside(status):
        return Judgement(TrialOutcome.ERRORED, f"the command was killed by {killer}")
    if junit is not None:
        return _judge_junit(junit, test, status)
    if status == 0:
        return Judgement(TrialOutcome.PASSED)
    if is_pytest and status != PYTEST_FAILED:
        return Judgement(TrialOutcome.ERRORED, f"pytest ended with status {status}: not a failure of a test")
    if status in here.CANNOT_RUN:
        return Judgement(TrialOutcome.ERRORED, f"exit status {status}: {here.CANNOT_RUN[status]}")
    return Judgement(TrialOutcome.FAILED, here.how_it_ended(status))


def _judge_junit(junit: Path, test: str | None, status: int) -> Judgement:
    import xml.etree.ElementTree as ET

    try:
        data = junit.read_bytes()
    except OSError as error:
        return Judgement(TrialOutcome.ERRORED, f"no JUnit file was written ({error.strerror}), exit status {status}")
    # An entity bomb needs a DOCTYPE, and no JUnit writer makes one.
    if len(data) > JUNIT_LIMIT or b"<!DOCTYPE" in data:
        return Judgement(TrialOutcome.ERRORED, "the JUnit file is no report of one test")
    try:
        cases = list(ET.fromstring(data).iter("testcase"))
    except ET.ParseError as error:
        return Judgement(TrialOutcome.ERRORED, f"the JUnit file is broken: {error}")
    if test is not None and any(case.get("name") == test for case in cases):
        cases = [case for case in cases if case.get("name") == test]
        own: tuple[str, ...] = ("failure", "error")
    else:
        # An error that bears no test's name is a collection error or a crash of the runner.
        own = ("failure",)
    return _judge_cases(cases, own, status)


def _judge_cases(cases: "list[ET.Element]", own: tuple[str, ...], status: int) -> Judgement:
    for case in cases:
        for tag in own:
            found = case.find(tag)
            if found is not None:
                return Judgement(TrialOutcome.FAILED, _message(found))
    for case in cases:
        found = case.find("error")
        if found is not None:
            return Judgement(TrialOutcome.ERRORED, _message(found))
    ran = [case for case in cases if case.find("skipped") is None]
    if not ran:
        return Judgement(TrialOutcome.ERRORED, f"the test did not run, exit status {status}")
    return Judgement(TrialOutcome.PASSED)


def _message(element: "ET.Element") -> str:
    text = element.get("message") or (element.text or "").strip()
    return text.splitlines()[0][:500] if text else element.tag
