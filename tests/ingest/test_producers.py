"""What real producers wrote is counted as they counted it themselves; see `tests/ingest/producers`."""

import io
import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flakehunter.db.rows import RunRow
from flakehunter.ingest.artifact import ArtifactReader
from flakehunter.ingest.junit.reader import JUnitReader
from flakehunter.ingest.limits import DEFAULT_LIMITS
from flakehunter.ingest.pipeline import IngestOptions, ingest
from flakehunter.ingest.runs import RunNaming
from flakehunter.ingest.sources import HEAD, Source, kind_of
from tests.databases import url_at

FIXTURES = Path(__file__).parent / "fixtures"
MADE: dict[str, dict[str, Any]] = json.loads((FIXTURES / "producers.json").read_text())
Query = Callable[..., list[tuple[Any, ...]]]

WORDS = {
    "passed": ("passed", "passing", "pass", "PASSED", "flaky"),
    "bad": ("failed", "failing", "fail", "failures?", "errors?", "cancelled", "FAILED", "error"),
    "skipped": ("skipped", "pending", "todo", "ignored", "expected failures", "SKIPPED"),
}

DIFFERENT: dict[str, dict[str, int]] = {
    # A test with subtests is a suite for its reporters, and a test for the count below them.
    "node-test/junit.xml": {"passed": -1},
    "node-test/spec.log": {"passed": -1},
    "node-test/tap.log": {"passed": -1},
    # jest-junit and mocha-junit-reporter do not tell of what is still to do; jest's error of a file is none of a test.
    "jest/junit.xml": {"passed": 1, "skipped": -1},
    "jest/verbose.log": {"bad": 1},
    "mocha/junit.xml": {"skipped": -2},
    # Disabled tests are in the file, and on the console only in a sum.
    "googletest/junit.xml": {"skipped": 1},
    "googletest/console.log": {},
    # nextest counts a flaky test as passed, too; it does not write of what was skipped.
    "nextest/junit.xml": {"passed": -1, "skipped": -1},
    "nextest/console.log": {"passed": -1, "skipped": -1},
    # CTest counts a skipped test as passed, and does not count a disabled one.
    "ctest/junit.xml": {"bad": 0},
    # The XML has one file a class; the error of a class's set-up has a file of its own.
    "xmlrunner/TEST-tests.test_child.TestChild.xml": {"bad": -1},
    "xmlrunner/TEST-unittest.suite._ErrorHolder.xml": {"bad": -3, "skipped": -2},
    # Surefire counts over its files, one a class; its console names no test that was skipped.
    "surefire/TEST-org.example.ChildTest.xml": {"bad": -1},
    "surefire/TEST-org.example.SetUpTest.xml": {"bad": -2, "skipped": -1},
    "surefire/console.log": {"skipped": -1},
    # Gradle, too, has one file a class.
    "gradle/TEST-org.example.ChildTest.xml": {"bad": -1},
    "gradle/TEST-org.example.SetUpTest.xml": {"bad": -3, "skipped": -1},
    # Bazel has a file for each target, and for each try of a flaky one that failed.
    "bazel/passes/test.xml": {"passed": -1},
    "bazel/child_is_gone/test.xml": {"passed": -2, "bad": 1},
    "bazel/is_gone_at_the_second_try/test.xml": {"passed": -1},
    "bazel/is_gone_at_the_second_try/test_attempts/attempt_1.xml": {"passed": -2, "bad": 1},
    # TestNG's rows of a data provider have one name in Surefire's XML, and so are attempts: the last one passed.
    "testng/TEST-org.example.ChildTest.xml": {"bad": -1},
    "testng/console.log": {"skipped": -2},
}
"""By how much our count differs from the producer's, and why that is right."""


def said(text: str) -> Counter[str]:
    """Read a producer's own count: `3 failed`, `failures=2`, `Errors: 1`, `# pass 3`, `[  PASSED  ] 3 tests`."""
    counts: Counter[str] = Counter()
    for category, words in WORDS.items():
        word = "|".join(words)
        # `expected failures=1` must not count as failures.
        before = r"(?<!expected )"
        for pattern in (
            rf"\b(\d+) (?:examples? |tests? )?{before}(?:{word})\b(?! \d)",
            rf"(?i){before}\b(?:{word})[=:] ?(\d+)",
            rf"\((?:{word}) (\d+)\)",
            rf"# (?:{word}) (\d+)",
            rf"\[ +(?:{word}) +\] (\d+) tests?",
        ):
            counts[category] += sum(int(number) for number in re.findall(pattern, text))
    return counts


def read(path: Path) -> Counter[str]:
    """Count the tests of a file by the outcome of their last attempt."""
    data = path.read_bytes()
    reader = ArtifactReader(kind_of(data[:HEAD], Source(path, path.name, True)), io.BytesIO(data), DEFAULT_LIMITS)
    last = {batch.tests[test]: outcome for batch in reader.batches() for test, _, outcome, _, _ in batch.results}
    words = {"passed": "passed", "skipped": "skipped"}
    return Counter(words.get(outcome, "bad") for outcome in last.values())


FILES = [
    (producer, name)
    for producer, made in MADE.items()
    if producer != "prove"  # it counts tests, and no outcomes
    for name in made["files"]
]


@pytest.mark.parametrize(("producer", "name"), FILES, ids=[name for _, name in FILES])
def test_a_producers_file_is_counted_as_it_counted(producer: str, name: str) -> None:
    expected, found = said(MADE[producer]["says"]), read(FIXTURES / name)
    expected.update(DIFFERENT.get(name, {}))
    assert sum(expected.values())
    assert {key: found[key] for key, number in expected.items() if number} == +expected


def test_surefires_reruns_are_attempts() -> None:
    with (FIXTURES / "surefire/TEST-org.example.ChildTest.xml").open("rb") as stream:
        (batch,) = JUnitReader(stream, DEFAULT_LIMITS).batches()
    outcomes: dict[str, list[str]] = {}
    for test, _, outcome, *_ in batch.results:
        outcomes.setdefault(batch.tests[test].name, []).append(outcome)
    assert outcomes == {
        "childIsGone": ["failed", "failed"],
        "breaks": ["errored", "errored"],
        "isGoneAtTheSecondTry": ["failed", "passed"],
        "passes": ["passed"],
        "skipped": ["skipped"],
    }


def test_nextests_tries_are_attempts_in_its_file_and_its_log() -> None:
    expected = {"child_is_gone": ["failed", "failed"], "is_gone_at_the_second_try": ["failed", "passed"]}
    for name in ("junit.xml", "console.log"):
        data = (FIXTURES / "nextest" / name).read_bytes()
        reader = ArtifactReader(kind_of(data[:HEAD], Source(Path(name), name, True)), io.BytesIO(data), DEFAULT_LIMITS)
        (batch,) = reader.batches()
        outcomes: dict[str, list[str]] = {}
        for test, _, outcome, *_ in batch.results:
            outcomes.setdefault(batch.tests[test].name.removeprefix("tests::"), []).append(outcome)
        assert outcomes == {**expected, "passes": ["passed"]}


def test_bazels_tries_of_a_flaky_target_are_attempts(tmp_path: Path, query: Query) -> None:
    url = url_at(tmp_path / "a.db")
    ingest([FIXTURES / "bazel"], url, IngestOptions(naming=RunNaming(RunRow(external_id="1"))))
    tried = "SELECT t.name, r.outcome FROM results r JOIN test_cases t ON t.id = r.test_case_id ORDER BY 1, 2"
    assert query(url, tried) == [
        ("child_is_gone", "errored"),
        ("is_gone_at_the_second_try", "errored"),
        ("is_gone_at_the_second_try", "passed"),
        ("passes", "passed"),
    ]


def test_karmas_suite_is_a_browser_without_its_version() -> None:
    with (FIXTURES / "karma/junit.xml").open("rb") as stream:
        (batch,) = JUnitReader(stream, DEFAULT_LIMITS).batches()
    assert {test.suite for test in batch.tests} == {"Chrome Headless (Linux)"}
    assert {test.framework for test in batch.tests} == {"karma"}


def test_what_perl_writes_is_read() -> None:
    # TAP::Formatter::JUnit does not tell skipped tests from passed ones, and adds an error for each broken script.
    assert read(FIXTURES / "perl/junit.xml") == {"passed": 5, "bad": 3}
    assert read(FIXTURES / "perl/prove.log") == {"passed": 3, "bad": 1, "skipped": 2}


BOTH = sorted(
    {Path(name).parent.as_posix() for made in MADE.values() for name in made["files"] if name.endswith(".xml")}
    & {Path(name).parent.as_posix() for made in MADE.values() for name in made["files"] if name.endswith(".log")}
)

MORE_IN_LOG = {
    "playwright": "failed tries before the last, which its JUnit file leaves out",
    "mocha": "pending tests, which its JUnit file leaves out",
    "jest": "the error of a file that cannot be loaded, and tests still to do",
}


@pytest.mark.parametrize("folder", BOTH)
def test_nothing_counts_twice_where_a_log_lies_beside_the_junit_file(folder: str, tmp_path: Path, query: Query) -> None:
    url = url_at(tmp_path / "a.db")
    run = IngestOptions(naming=RunNaming(RunRow(external_id="1")))
    paths = sorted((FIXTURES / folder).glob("*.xml"))
    from_xml = ingest(paths, url, run).new_results
    names = "SELECT count(DISTINCT test_case_id) FROM results"
    tests = query(url, names)
    ingest(sorted((FIXTURES / folder).glob("*.log"))[:1], url, run)
    if folder not in MORE_IN_LOG:
        assert query(url, "SELECT count(*) FROM results") == [(from_xml,)]
        assert query(url, names) == tests
    else:
        passed = "SELECT max(n) FROM (SELECT count(*) n FROM results WHERE outcome = 'passed' GROUP BY test_case_id) x"
        assert query(url, passed) == [(1,)]


@pytest.mark.parametrize("folder", ["phpunit", "rspec"])
def test_a_junit_file_takes_the_place_of_a_log_that_came_before(folder: str, tmp_path: Path, query: Query) -> None:
    url = url_at(tmp_path / "a.db")
    run = IngestOptions(naming=RunNaming(RunRow(external_id="1")))
    ingest(sorted((FIXTURES / folder).glob("*.log"))[:1], url, run)
    from_xml = ingest(sorted((FIXTURES / folder).glob("*.xml")), url, run).new_results
    kinds = "SELECT a.kind, count(*) FROM results r JOIN artifacts a ON a.id = r.artifact_id GROUP BY a.kind"
    assert query(url, kinds) == [("junit", from_xml)]


def test_lines_of_a_log_belong_to_the_test_of_the_junit_file(tmp_path: Path, query: Query) -> None:
    url = url_at(tmp_path / "a.db")
    run = IngestOptions(naming=RunNaming(RunRow(external_id="1")))
    ingest([FIXTURES / "mocha/junit.xml", FIXTURES / "mocha/spec.log"], url, run)
    owners = "SELECT DISTINCT t.name FROM log_events e JOIN test_cases t ON t.id = e.test_case_id"
    assert query(url, owners)


def test_fixtures_name_nothing_of_the_machine_they_were_made_on() -> None:
    for path in FIXTURES.rglob("*"):
        if path.is_file():
            text = path.read_text(encoding="utf-8", errors="replace")
            assert not re.search(r"/(?:root|work|home/(?!runner\b)\w+)/|/tmp/(?!project|fixture-)\w+/", text), path
