"""JUnit XML of all dialects becomes attempts of tests."""

import io
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from flakehunter.db.rows import Batch
from flakehunter.ingest.artifact import ArtifactReader
from flakehunter.ingest.junit.reader import JUnitReader
from flakehunter.ingest.junit.suites import Memory
from flakehunter.ingest.junit.tree import XmlDamage
from flakehunter.ingest.junit.values import parse_timestamp, seconds
from flakehunter.ingest.limits import DEFAULT_LIMITS, Limits
from flakehunter.ingest.sources import Kind

FIXTURES = Path(__file__).parent / "fixtures"
Attempts = list[tuple[str, str, int, str]]
Read = Callable[..., tuple[JUnitReader, Attempts]]


def test_pytest_outcomes_of_every_kind(read_junit: Read, fixtures: Path) -> None:
    reader, rows = read_junit(fixtures / "pytest/xunit1.xml")
    outcomes = {name: outcome for _, name, _, outcome in rows}
    assert reader.framework == "pytest"
    assert outcomes["test_child_is_gone"] == "failed"
    assert outcomes["test_errors_in_setup"] == "errored"
    assert outcomes["test_passes_and_errors_in_teardown"] == "errored"
    assert outcomes["test_fails_and_errors_in_teardown"] == "failed"
    assert outcomes["test_skipped"] == outcomes["test_expected_failure"] == "skipped"
    assert outcomes["test_unexpected_pass"] == "failed"  # noqa: S105 (a test's name)
    assert outcomes["test_has_properties"] == "passed"
    assert outcomes["tests.test_broken_import"] == "errored"
    assert [row for row in rows if row[2] > 1] == [], "a failed teardown is no attempt of its own"


def test_both_pytest_families_and_xdist_give_the_same_tests(read_junit: Read, fixtures: Path) -> None:
    names = [
        sorted((row[0], row[1], row[3]) for row in read_junit(fixtures / f"pytest/{name}.xml")[1])
        for name in ("xunit1", "xunit2-v", "xunit2-n-v")
    ]
    assert names[0] == names[1] == names[2]


@pytest.mark.parametrize("name", ["xunit1", "xunit2-v"])
def test_pytest_tests_have_their_file(name: str, fixtures: Path) -> None:
    with (fixtures / f"pytest/{name}.xml").open("rb") as stream:
        (batch,) = JUnitReader(stream, DEFAULT_LIMITS).batches()
    files = {test.name: test.file for test in batch.tests}
    assert files["test_deep"] == files["test_passes_and_errors_in_teardown"] == "tests/test_processes.py"
    assert files["tests.test_broken_import"] == "tests/test_broken_import.py"
    lines = {test.name: test.line for test in batch.tests}
    # The function's own line, from 1: pytest writes it from 0, and only in the old family.
    assert lines["test_deep"] == (29 if name == "xunit1" else None)


def test_pytest_failure_has_type_message_and_text(fixtures: Path) -> None:
    with (fixtures / "pytest/xunit2-v.xml").open("rb") as stream:
        (batch,) = JUnitReader(stream, DEFAULT_LIMITS).batches()
    (failure,) = [entry for entry in batch.failures if "still alive" in entry.message]
    assert failure.type == "AssertionError"
    assert failure.message.startswith("AssertionError: process ")
    assert "tests/test_processes.py:" in failure.detail


def test_rerunfailures_empty_cases_are_failed_attempts(read_junit: Read, fixtures: Path) -> None:
    _, rows = read_junit(fixtures / "pytest/rerunfailures.xml")
    flaky = [(attempt, outcome) for _, name, attempt, outcome in rows if name == "test_fails_twice_then_passes"]
    assert flaky == [(1, "failed"), (2, "failed"), (3, "passed")]
    broken = [outcome for _, name, _, outcome in rows if name == "test_always_fails"]
    assert broken == ["failed"] * 4
    assert [outcome for _, name, _, outcome in rows if name == "test_steady"] == ["passed"]


def test_vitest_names_files_and_retries(read_junit: Read, fixtures: Path) -> None:
    reader, rows = read_junit(fixtures / "vitest/junit.xml")
    assert reader.framework == "vitest"
    assert ("test/processes.test.js", "group > inner > with arrow > child is gone", 1, "failed") in rows
    assert [row[2:] for row in rows if row[1] == "fails on every retry"] == [(1, "failed"), (2, "failed")]
    assert Counter(row[3] for row in rows) == {"passed": 5, "failed": 7, "skipped": 3}
    assert ("test/broken.test.js", "test/broken.test.js", 1, "failed") in rows


def test_vitest_output_lines_belong_to_their_test(fixtures: Path) -> None:
    with (fixtures / "vitest/junit.xml").open("rb") as stream:
        (batch,) = JUnitReader(stream, DEFAULT_LIMITS).batches()
    owners = {event.test for event in batch.events}
    assert owners == {("test/processes.test.js", "group > inner > with arrow > child is gone")}
    assert all(event.pid for event in batch.events)


@pytest.mark.parametrize("path", sorted(FIXTURES.rglob("*.xml")), ids=lambda path: str(path.relative_to(FIXTURES)))
def test_plain_attributes_and_element_classes_give_identical_rows(path: Path) -> None:
    """The second time the tests are known, and their passes go the short way."""
    memory = Memory()

    def rows(elements_for_all: bool) -> list[object]:
        stream = io.BytesIO(path.read_bytes())
        reader = JUnitReader(stream, DEFAULT_LIMITS, memory=memory, elements_for_all=elements_for_all)
        return [in_order(batch) for batch in reader.batches()]

    assert rows(False) == rows(True) == rows(False)


@pytest.mark.parametrize("path", sorted(FIXTURES.rglob("*.xml")), ids=lambda path: str(path.relative_to(FIXTURES)))
def test_passes_cut_out_of_the_text_give_identical_rows(path: Path) -> None:
    """At first no text is known, later all of it is."""
    memory, data = Memory(), path.read_bytes()
    whole = JUnitReader(io.BytesIO(data), DEFAULT_LIMITS, elements_for_all=True)
    expected = [in_order(batch) for batch in whole.batches()]
    for _ in range(3):
        read = ArtifactReader(Kind.JUNIT, io.BytesIO(data), DEFAULT_LIMITS, memory=memory)
        assert [in_order(batch) for batch in read.batches()] == expected
        assert (read.format, read.started_at) == (whole.framework, whole.started_at)


def in_order(batch: Batch) -> list[object]:
    """Return what a batch says, with names in place of positions: each test's attempts in order, failures in full."""
    whole = batch.in_rows()
    results = [
        (whole.tests[test], attempt, outcome, duration, None if failure is None else whole.failures[failure])
        for test, attempt, outcome, duration, failure in whole.results
    ]
    properties = [
        (row.suite, None if row.test is None else whole.tests[row.test], row.attempt, row.entries)
        for row in whole.properties
    ]
    return [sorted(results, key=lambda result: repr(result[:2])), set(whole.tests), whole.events, properties]


def test_passes_of_known_tests_are_columns_until_one_comes_again() -> None:
    memory = Memory()

    def read(*names: str) -> Batch:
        cases = "".join(f'<testcase classname="c" name="{name}" time="0.5"/>' for name in names)
        reader = JUnitReader(io.BytesIO(_document(cases).encode()), DEFAULT_LIMITS, memory=memory)
        (batch,) = reader.batches()
        return batch

    for _ in range(2):
        once = read("a", "b", "c", "d")
        assert len(once.passed) == 3  # the first case of a file tells its framework
    more = read("a", "b", "e", "f (rerun)", "g")
    assert [row.name for row in more.tests] == ["a", "f"]
    assert sorted(row.name for row in more.in_rows().tests) == ["a", "b", "e", "f", "g"]
    again = read("a", "b", "c", "b (rerun)", "d")
    assert not again.passed
    tried = [(again.tests[test].name, attempt) for test, attempt, *_ in again.results]
    assert sorted(tried) == [("a", 1), ("b", 1), ("b", 2), ("c", 1), ("d", 1)]


def _document(cases: str, suite: str = 'name="s"') -> str:
    return f"<testsuites><testsuite {suite}>{cases}</testsuite></testsuites>"


def test_surefire_flaky_and_rerun_elements_are_attempts(read_junit: Read) -> None:
    _, rows = read_junit(
        _document(
            """<testcase name="flaky" classname="C" time="0.3">
                 <flakyFailure message="no" type="T"><stackTrace>at X</stackTrace></flakyFailure>
                 <flakyError message="boom" type="E">trace</flakyError></testcase>
               <testcase name="broken" classname="C" time="0.1"><failure message="1"/>
                 <rerunFailure message="2"/><rerunError message="3"/></testcase>"""
        )
    )
    assert [row[1:] for row in rows] == [
        ("flaky", 1, "failed"),
        ("flaky", 2, "errored"),
        ("flaky", 3, "passed"),
        ("broken", 1, "failed"),
        ("broken", 2, "failed"),
        ("broken", 3, "errored"),
    ]


def test_the_same_case_twice_is_two_attempts(read_junit: Read) -> None:
    _, rows = read_junit(
        _document('<testcase name="t" classname="C"><failure/></testcase><testcase name="t" classname="C"/>')
    )
    assert [row[2:] for row in rows] == [(1, "failed"), (2, "passed")]


@pytest.mark.parametrize("mark", [" (rerun)", " (retry #1)", " [rerun 2]"])
def test_a_rerun_mark_in_the_name_is_no_part_of_it(read_junit: Read, mark: str) -> None:
    _, rows = read_junit(
        _document(f'<testcase name="t" classname="C"><failure/></testcase><testcase name="t{mark}" classname="C"/>')
    )
    assert rows == [("C", "t", 1, "failed"), ("C", "t", 2, "passed")]


def test_nested_suites_are_read_once_each(read_junit: Read) -> None:
    _, rows = read_junit(
        """<testsuites><testsuite name="a"><testcase name="1"/><testsuite name="b"><testcase name="2"/>
           <testsuite name="c"><testcase name="3"/></testsuite><testcase name="4"/></testsuite></testsuite>
           <testcase name="5"/></testsuites>"""
    )
    assert [row[1] for row in rows] == ["1", "2", "3", "4", "5"]


@pytest.mark.parametrize(
    ("attributes", "outcome"),
    [
        ('status="notrun"', "skipped"),
        ('status="disabled"', "skipped"),
        ('status="run" result="completed"', "passed"),
        ('status="failed"', "failed"),
        ('result="suppressed"', "skipped"),
    ],
)
def test_status_attributes_count_where_no_element_says_more(read_junit: Read, attributes: str, outcome: str) -> None:
    _, rows = read_junit(_document(f'<testcase name="t" {attributes}/>'))
    assert rows[0][3] == outcome


def test_an_error_wins_over_a_failure_and_a_failure_over_skipped(read_junit: Read) -> None:
    _, rows = read_junit(
        _document('<testcase name="a"><failure/><error/></testcase><testcase name="b"><skipped/><failure/></testcase>')
    )
    assert [row[3] for row in rows] == ["errored", "failed"]


def test_a_suite_that_fails_as_a_whole_is_kept(read_junit: Read) -> None:
    _, rows = read_junit('<testsuite name="S" tests="1"><error message="NoClassDefFound">trace</error></testsuite>')
    assert rows == [("S", "(suite)", 1, "errored")]


PROPERTIES = """<testsuites><properties><property name="build" value="7"/></properties>
<testsuite name="s"><properties><property name="seed">42</property><property value="no name"/></properties>
  <testcase classname="C" name="plain" time="0.1"/>
  <testcase classname="C" name="t"><properties><property name="owner" value="team-a"/>
    <property name="tag" value="slow"/><property name="tag" value="db"/></properties><failure message="no"/></testcase>
  <testcase classname="C" name="t"><properties><property name="retry" value="1"/></properties>
    <system-out>before
[[ATTACHMENT|shots/a b.png]] and [[PROPERTY|owner=team-b]]</system-out></testcase>
  <testcase classname="C" name="u"><properties><property name="API_TOKEN" value="hunter22"/>
    <property name="url" value="https://me:secret@host/"/></properties></testcase>
  <system-err>[[ATTACHMENT|core.1]]</system-err></testsuite></testsuites>"""


def test_properties_and_attachments_of_every_level_are_kept() -> None:
    (batch,) = JUnitReader(io.BytesIO(PROPERTIES.encode()), DEFAULT_LIMITS).batches()
    names = [batch.tests[row.test].name if row.test is not None else None for row in batch.properties]
    assert [(row.suite, name, row.attempt, row.entries) for row, name in zip(batch.properties, names, strict=True)] == [
        ("", None, None, (("build", "7"),)),
        ("s", None, None, (("seed", "42"),)),
        ("", "t", 1, (("owner", "team-a"), ("tag", "slow"), ("tag", "db"))),
        ("", "t", 2, (("retry", "1"), ("attachment", "shots/a b.png"), ("owner", "team-b"))),
        ("", "u", 1, (("API_TOKEN", "[redacted]"), ("url", "https://me:[redacted]@host/"))),
        ("s", None, None, (("attachment", "core.1"),)),
    ]


def test_properties_without_end_are_cut() -> None:
    many = "".join(f'<property name="n{number}" value="{"v" * 100}"/>' for number in range(20))
    document = f"<testsuite><testcase name='t'><properties>{many}</properties></testcase></testsuite>"
    limits = Limits(properties=3, property_chars=9)
    (batch,) = JUnitReader(io.BytesIO(document.encode()), limits).batches()
    (row,) = batch.properties
    assert [name for name, _ in row.entries] == ["n0", "n1", "n2"]
    assert all("91 characters left out" in value for _, value in row.entries)


def test_missing_names_are_empty(read_junit: Read) -> None:
    _, rows = read_junit(_document("<testcase/>"))
    assert rows == [("", "", 1, "passed")]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.25", 0.25),
        ("1,234.5", 1234.5),
        ("1.234,5", 1234.5),
        ("0,25", 0.25),
        ("1,234", 1234.0),
        ("12 ms", 0.012),
        ("1e-3", 0.001),
        ("", None),
        (None, None),
        ("soon", None),
        ("-1", None),
        ("nan", None),
        ("1.2.3.4", None),
    ],
)
def test_seconds(text: str | None, value: float | None) -> None:
    assert seconds(text) == value


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-05-01T12:00:00", datetime(2026, 5, 1, 12, tzinfo=UTC)),
        ("2026-05-01T12:00:00+02:00", datetime(2026, 5, 1, 10, tzinfo=UTC)),
        ("2026-05-01T12:00:00.1234567Z", datetime(2026, 5, 1, 12, 0, 0, 123456, tzinfo=UTC)),
        ("1679511632462", datetime(2023, 3, 22, 19, 0, 32, 462000, tzinfo=UTC)),
        ("yesterday", None),
        ("", None),
    ],
)
def test_timestamps(text: str, moment: datetime | None) -> None:
    assert parse_timestamp(text) == moment


def test_the_earliest_timestamp_is_the_start(read_junit: Read) -> None:
    reader, _ = read_junit(
        '<testsuites><testsuite timestamp="2026-05-01T12:00:01Z"/>'
        '<testsuite timestamp="2026-05-01T12:00:00Z"/></testsuites>'
    )
    assert reader.started_at == datetime(2026, 5, 1, 12, tzinfo=UTC)


CUT = '<testsuite name="s"><testcase name="a"/><testcase name="b"><failure/></testcase><testcase name="c"><failure>te'


@pytest.mark.parametrize("end", range(len('<testsuite name="s">') + 1, len(CUT) + 1))
def test_whole_cases_before_a_truncation_are_kept_wherever_it_is(read_junit: Read, end: int) -> None:
    text = CUT[:end]
    reader, rows = read_junit(text)
    whole = ['<testcase name="a"/>', "<failure/></testcase>"]
    assert len(rows) == sum(piece in text for piece in whole)
    assert reader.damage is not None
    assert reader.damage.position.startswith("line 1, column ")


def test_a_long_truncated_file_keeps_what_was_read_in_parts(read_junit: Read) -> None:
    cases = "".join(f'<testcase classname="C" name="t{number}" time="0.1"/>' for number in range(9000))
    reader, rows = read_junit(f"<testsuites><testsuite>{cases}<testcase na", limits=Limits(batch_results=1000))
    assert [row[1] for row in rows] == [f"t{number}" for number in range(9000)]
    assert reader.damage is not None


def test_parts_of_a_long_file_hold_every_case_once(read_junit: Read) -> None:
    suites = "".join(
        f'<testsuite name="s{suite}">' + "".join(f'<testcase name="t{case}"/>' for case in range(500)) + "</testsuite>"
        for suite in range(40)
    )
    reader, rows = read_junit(f"<testsuites>{suites}</testsuites>", limits=Limits(batch_results=100))
    assert reader.cases == len(rows) == 20_000
    assert {row[2:] for row in rows} == {(1, "passed")}


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ('<!DOCTYPE x [<!ENTITY a "b">]><testsuite><testcase name="&a;"/></testsuite>', "DOCTYPE"),
        ('<!DOCTYPE x SYSTEM "file:///etc/passwd"><testsuite/>', "DOCTYPE"),
        ("<TestRun/>", r"not JUnit: the root element is <TestRun> \(MSTest"),
        ("<catalog><book/></catalog>", "not JUnit: the root element is <catalog>"),
        ("Error: nothing here", "not well-formed"),
        ("\n<?xml version='1.0'?><testsuite/>", "not well-formed"),
        ("   ", "the file ends before"),
        ("<testsuite>" * 300 + "</testsuite>" * 300, "nested deeper"),
    ],
    ids=["entities", "external", "trx", "other", "text", "late-declaration", "blank", "deep"],
)
def test_what_is_no_junit_is_refused_with_a_reason(read_junit: Read, document: str, reason: str) -> None:
    with pytest.raises(XmlDamage, match=reason):
        read_junit(document)


def test_an_element_beyond_the_limit_is_refused(read_junit: Read) -> None:
    with pytest.raises(XmlDamage, match="larger than"):
        read_junit(f"<testsuite><testcase><failure>{'x' * 3_000_000}", limits=Limits(xml_element=1_000_000))


def test_a_byte_order_mark_and_another_encoding_are_read(read_junit: Read) -> None:
    assert read_junit('\ufeff<testsuite><testcase name="ü"/></testsuite>'.encode())[1][0][1] == "ü"
    latin = '<?xml version="1.0" encoding="ISO-8859-1"?><testsuite><testcase name="ü"/></testsuite>'.encode("latin-1")
    assert read_junit(latin)[1][0][1] == "ü"
    wide = '<?xml version="1.0" encoding="UTF-16"?><testsuite><testcase name="ü"/></testsuite>'.encode("utf-16")
    assert read_junit(wide)[1][0][1] == "ü"


def test_secrets_and_escapes_are_not_stored() -> None:
    document = _document(
        '<testcase name="t"><failure message="Authorization: Bearer abc.def">'
        "token ghp_0123456789abcdefghijABCDEFGHIJ012345</failure></testcase>"
    )
    (batch,) = JUnitReader(io.BytesIO(document.encode()), DEFAULT_LIMITS).batches()
    (failure,) = batch.failures
    assert "abc.def" not in failure.message
    assert "ghp_" not in failure.detail


def test_unittest_suites_are_named_without_the_time_of_the_run() -> None:
    document = _document('<testcase classname="u.A" name="t"/>', 'name="u.A-20260501120000"')
    (batch,) = JUnitReader(io.BytesIO(document.encode()), DEFAULT_LIMITS).batches()
    assert batch.tests[0].suite == "u.A"
