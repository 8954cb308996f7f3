"""Producers from PyPI: unittest and its XML reporters, nose2, behave, Robot Framework."""

import sys
from pathlib import Path

from producers.common import Made, MissingProducerError, project, run, version

UNITTEST = {
    "tests/__init__.py": "",
    "tests/test_child.py": """
import os, signal, subprocess, sys, unittest


class TestChild(unittest.TestCase):
    def test_passes(self):
        pass

    def test_child_is_gone(self):
        child = subprocess.Popen(["sleep", "30"])
        child.send_signal(signal.SIGSTOP)
        child.kill()
        print(f"sent SIGKILL to pid {child.pid}", file=sys.stderr)
        self.addCleanup(child.wait)
        self.fail(f"process {child.pid} is still alive")

    def test_errors(self):
        raise OSError(98, "Address already in use")

    @unittest.skip("not today")
    def test_skipped(self):
        pass

    @unittest.expectedFailure
    def test_expected_failure(self):
        self.fail("known")

    def test_subtests(self):
        for number in range(3):
            with self.subTest(number=number):
                self.assertNotEqual(number, 1)


class TestSetUp(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        raise RuntimeError("no server")

    def test_never_runs(self):
        pass
""",
}
COUNTS = (r"^Ran \d+ test", r"^(?:OK|FAILED)(?: \(|$)")


def _needs(module: str) -> str:
    output = run(Path("/"), sys.executable, "-c", f"from importlib.metadata import version; print(version({module!r}))")
    if "Error" in output:
        raise MissingProducerError(module)
    return output.strip()


def unittest() -> Made:
    """The standard library's runner, which writes no XML."""
    folder = project(UNITTEST)
    made = Made("unittest", version(sys.executable, "--version"), "python -m unittest -v")
    log = run(folder, sys.executable, "-m", "unittest", "-v")
    made.keep("unittest/verbose.log", log)
    made.counts(log, *COUNTS)
    return made


def xmlrunner() -> Made:
    """unittest-xml-reporting: one file a test class."""
    folder = project(UNITTEST)
    made = Made(
        "unittest-xml-reporting", _needs("unittest-xml-reporting"), "python -m xmlrunner discover -v -o reports"
    )
    log = run(folder, sys.executable, "-m", "xmlrunner", "discover", "-v", "-o", "reports")
    made.keep("xmlrunner/verbose.log", log)
    for path in sorted((folder / "reports").glob("*.xml")):
        # The time of the run is a part of the file's name, and of the suite's.
        made.keep_file(f"xmlrunner/{path.name.rsplit('-', 1)[0]}.xml", path)
    made.counts(log, *COUNTS)
    return made


def nose2() -> Made:
    """nose2 with its junit-xml plugin."""
    folder = project(UNITTEST)
    command = ["nose2", "-v", "--plugin", "nose2.plugins.junitxml", "--junit-xml"]
    made = Made("nose2", _needs("nose2"), f"python -m {' '.join(command)}")
    log = run(folder, sys.executable, "-m", *command)
    made.keep("nose2/verbose.log", log)
    made.keep_file("nose2/junit.xml", folder / "nose2-junit.xml")
    made.counts(log, *COUNTS)
    return made


FEATURE = """
Feature: ending a child
  Scenario: it ends
    Given a child
    Then it is gone
  Scenario: it stays
    Given a child
    Then it is still alive
  @skip
  Scenario: not today
    Given a child
  Scenario Outline: signals
    Given a child
    When <signal> is sent
    Then it is gone
    Examples:
      | signal  |
      | SIGTERM |
      | SIGKILL |
  Scenario: nobody wrote this step
    Given a step without code
"""
STEPS = """
from behave import given, then, when


@given("a child")
def child(context):
    print("child pid 4711 started")


@when("{signal} is sent")
def send(context, signal):
    print(f"sent {signal} to pid 4711")


@then("it is gone")
def gone(context):
    pass


@then("it is still alive")
def alive(context):
    assert False, "process 4711 is still alive"
"""


def behave() -> Made:
    """behave with --junit."""
    folder = project({"features/child.feature": FEATURE, "features/steps/steps.py": STEPS})
    command = ["behave", "--junit", "--junit-directory", "reports", "--tags=-skip", "--show-skipped"]
    made = Made("behave", _needs("behave"), f"python -m {' '.join(command)}")
    log = run(folder, sys.executable, "-m", *command)
    # With --junit behave prints its counts only; what it prints else comes from a run without.
    made.keep("behave/plain.log", run(folder, sys.executable, "-m", "behave", "--tags=-skip", "--no-capture"))
    for path in sorted((folder / "reports").glob("*.xml")):
        made.keep_file(f"behave/{path.name}", path)
    made.counts(log, r"^\d+ scenarios? passed")
    return made


ROBOT = """
*** Test Cases ***
It Ends
    Log    child pid 4711 started
It Stays
    Fail    process 4711 is still alive
Not Today
    Skip    not today
Twice
    FOR    ${number}    IN RANGE    2
        Log    sent SIGKILL to pid 4711
    END
"""


def robot() -> Made:
    """Robot Framework with --xunit."""
    folder = project({"suite/child.robot": ROBOT, "suite/more/other.robot": ROBOT})
    made = Made("robotframework", _needs("robotframework"), "python -m robot --xunit xunit.xml suite")
    log = run(folder, sys.executable, "-m", "robot", "--xunit", "xunit.xml", "suite")
    made.keep("robot/console.log", log)
    made.keep_file("robot/xunit.xml", folder / "xunit.xml")
    # The last count is that of all suites.
    made.counts(log, r"^\d+ tests?, \d+ passed")
    made.says = made.says.split("; ")[-1]
    return made


MAKERS = {"unittest": unittest, "xmlrunner": xmlrunner, "nose2": nose2, "behave": behave, "robot": robot}
