"""Artifacts become rows: once, whole or not at all, in both databases."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from flakehunter.db.queries.rollups import Packed, read_packed
from flakehunter.db.rows import RunRow
from flakehunter.detect.show import describe
from flakehunter.detect.show_output import as_text, document
from flakehunter.errors import DatabaseError, NothingToDoError, UsageError
from flakehunter.ingest import writing
from flakehunter.ingest.layout import compile_layout
from flakehunter.ingest.limits import Limits
from flakehunter.ingest.pipeline import IngestOptions, Summary, ingest
from flakehunter.ingest.runs import RunNaming
from tests.databases import url_at

Query = Callable[..., list[tuple[Any, ...]]]

RUN = IngestOptions(naming=RunNaming(RunRow(external_id="1", commit="abc", job="unit")))
COUNTS = (
    "SELECT (SELECT count(*) FROM runs), (SELECT count(*) FROM artifacts), (SELECT count(*) FROM test_cases),"
    " (SELECT count(*) FROM results), (SELECT count(*) FROM failures), (SELECT count(*) FROM log_events),"
    " (SELECT count(*) FROM artifact_issues)"
)
ATTEMPTS = (
    "SELECT t.name, r.attempt, r.outcome FROM results r JOIN test_cases t ON t.id = r.test_case_id"
    " ORDER BY t.name, r.attempt"
)


def junit(*cases: str, suite: str = "pytest") -> str:
    return f'<testsuites><testsuite name="{suite}">{"".join(cases)}</testsuite></testsuites>'


def case(name: str, inside: str = "") -> str:
    return f'<testcase classname="tests.test_a" name="{name}" time="0.5">{inside}</testcase>'


def test_rows_of_a_real_run(empty_database: str, fixtures: Path, query: Query) -> None:
    summary = ingest([fixtures / "pytest/xunit1.xml", fixtures / "pytest/xunit1.log"], empty_database, RUN)
    assert (summary.artifacts, summary.new_results, summary.rejected) == (2, 21, [])
    (run,) = query(empty_database, "SELECT external_id, commit_sha, job, attempt, started_at FROM runs")
    assert run[:4] == ("1", "abc", "unit", 1)
    assert str(run[4]).startswith("20")
    rows = query(
        empty_database,
        "SELECT t.suite, t.classname, t.file, t.framework, r.outcome, r.attempt, f.type FROM results r"
        " JOIN test_cases t ON t.id = r.test_case_id LEFT JOIN failures f ON f.id = r.failure_id"
        " WHERE t.name = 'test_child_is_gone'",
    )
    expected = (
        "pytest",
        "tests.test_processes.TestGroup",
        "tests/test_processes.py",
        "pytest",
        "failed",
        1,
        "AssertionError",
    )
    assert rows == [expected]
    events = query(
        empty_database,
        "SELECT t.name, e.kind, e.pid FROM log_events e JOIN test_cases t ON t.id = e.test_case_id"
        " WHERE e.text LIKE 'sent SIGTERM%'",
    )
    assert [(name, kind) for name, kind, _ in events] == [("test_child_is_gone", "signal")]
    assert events[0][2] > 0


def test_a_second_ingest_adds_nothing(empty_database: str, fixtures: Path, query: Query) -> None:
    first = ingest([fixtures], empty_database, RUN)
    before = query(empty_database, COUNTS)
    second = ingest([fixtures], empty_database, RUN)
    assert query(empty_database, COUNTS) == before
    assert second.new_results == 0
    assert second.known_artifacts == second.artifacts == first.artifacts
    assert second.results == query(empty_database, "SELECT count(*) FROM results")[0][0]


def test_properties_are_stored_once_and_shown(empty_database: str, tmp_path: Path, query: Query) -> None:
    of_test = '<properties><property name="owner" value="team-a"/></properties>'
    for number in range(3):
        text = junit('<properties><property name="os" value="linux"/></properties>', case("t", of_test), case("u"))
        (tmp_path / f"{number}.xml").write_text(text + "\n" * number)
    ingest([tmp_path], empty_database, RUN)
    assert query(empty_database, "SELECT count(*) FROM property_sets") == [(2,)]
    rows = query(
        empty_database,
        "SELECT t.name, p.attempt, p.suite FROM properties p LEFT JOIN test_cases t ON t.id = p.test_case_id"
        " ORDER BY t.name, p.attempt",
    )
    assert sorted(rows, key=str) == [("t", 1, ""), ("t", 2, ""), ("t", 3, ""), *[(None, None, "pytest")] * 3]
    description = describe(empty_database, "t")
    shown = [(one.attempt, one.name, one.value) for one in description.properties]
    assert shown == [*((number, "owner", "team-a") for number in (1, 2, 3)), *[(None, "os", "linux")] * 3]
    assert "  owner: team-a\n  os: linux" in as_text(description)
    assert document(description)["properties"][0]["name"] == "owner"


def test_failures_are_stored_once(empty_database: str, tmp_path: Path, query: Query) -> None:
    for number in range(3):
        text = junit(case(f"t{number}", '<failure message="pid 1 alive" type="E">same text</failure>'))
        (tmp_path / f"{number}.xml").write_text(text)
    ingest([tmp_path], empty_database, RUN)
    assert query(empty_database, "SELECT count(*), min(length(fingerprint)) FROM failures") == [(1, 16)]
    assert query(empty_database, "SELECT count(DISTINCT failure_id), count(failure_id) FROM results") == [(1, 3)]


def test_the_same_test_in_two_files_of_a_run_is_two_attempts(empty_database: str, tmp_path: Path, query: Query) -> None:
    (tmp_path / "1.xml").write_text(junit(case("t", "<failure/>"), case("u")))
    (tmp_path / "2.xml").write_text(junit(case("t")))
    ingest([tmp_path], empty_database, RUN)
    assert query(empty_database, ATTEMPTS) == [("t", 1, "failed"), ("t", 2, "passed"), ("u", 1, "passed")]


def test_a_file_in_parts_numbers_attempts_through(
    empty_database: str, tmp_path: Path, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flakehunter.ingest.junit.reader.CHUNK", 100)
    (tmp_path / "a.xml").write_text(junit(*[case("t", "<failure/>"), case("u")] * 5, suite="s"))
    ingest([tmp_path], empty_database, replace(RUN, limits=Limits(batch_results=2)))
    attempts = [(name, number) for name, number, _ in query(empty_database, ATTEMPTS)]
    assert attempts == [(name, number) for name in "tu" for number in range(1, 6)]


def test_a_log_counts_only_where_no_junit_file_does(empty_database: str, fixtures: Path, query: Query) -> None:
    log, xml = fixtures / "pytest/xunit2-v.log", fixtures / "pytest/xunit2-v.xml"
    ingest([log], empty_database, RUN)
    from_log = query(empty_database, ATTEMPTS)
    assert ("test_child_is_gone", 1, "failed") in from_log
    ingest([xml], empty_database, RUN)
    assert query(empty_database, ATTEMPTS) == from_log, "the JUnit file's results take the place of the log's"
    assert query(empty_database, "SELECT DISTINCT a.kind FROM results r JOIN artifacts a ON a.id = r.artifact_id") == [
        ("junit",)
    ]


def test_a_log_that_adds_no_result_adds_no_failure(empty_database: str, fixtures: Path, query: Query) -> None:
    ingest([fixtures / "pytest/xunit2-v.xml", fixtures / "pytest/xunit2-v.log"], empty_database, RUN)
    orphans = "SELECT count(*) FROM failures WHERE id NOT IN (SELECT failure_id FROM results WHERE failure_id > 0)"
    assert query(empty_database, orphans) == [(0,)]


def test_a_log_tells_of_the_tries_that_vitest_leaves_out(empty_database: str, fixtures: Path, query: Query) -> None:
    paths = [fixtures / "vitest/junit.xml", fixtures / "vitest/verbose.log", fixtures / "vitest/github.log"]
    ingest(paths, empty_database, RUN)
    outcomes = sorted(outcome for name, _, outcome in query(empty_database, ATTEMPTS) if name == "flaky")
    assert outcomes == ["failed", "passed"]
    assert query(empty_database, "SELECT count(*) FROM results") == [(16,)]


def test_a_whole_history_by_layout(empty_database: str, tmp_path: Path, query: Query) -> None:
    for commit, run, attempt in (("c1", "10", 1), ("c1", "10", 2), ("c2", "11", 1)):
        folder = tmp_path / f"{commit}/{run}-{attempt}/linux/reports"
        folder.mkdir(parents=True)
        (folder / "junit.xml").write_text(junit(case("t", f"<system-out>{commit}{run}{attempt}</system-out>")))
    (tmp_path / "stray.xml").write_text(junit(case("t")))
    layout = compile_layout("{commit}/{run_id}-{attempt}/{job}/**")
    summary = ingest([tmp_path], empty_database, IngestOptions(naming=RunNaming(layout=layout)))
    assert query(empty_database, "SELECT commit_sha, external_id, attempt, job FROM runs ORDER BY 2, 3") == [
        ("c1", "10", 1, "linux"),
        ("c1", "10", 2, "linux"),
        ("c2", "11", 1, "linux"),
    ]
    assert [entry.path for entry in summary.rejected] == [str(tmp_path / "stray.xml")]
    assert "does not fit --layout" in summary.rejected[0].reason


def test_run_ids_that_begin_anew_at_each_commit_are_runs_of_their_own(
    empty_database: str, tmp_path: Path, query: Query
) -> None:
    for commit in ("c1", "c2"):
        (tmp_path / commit).mkdir()
        (tmp_path / commit / "1.xml").write_text(junit(case("t")))
    options = IngestOptions(naming=RunNaming(layout=compile_layout("{commit}/{run_id}.xml")))
    for _ in range(2):
        ingest([tmp_path], empty_database, options)
        assert query(empty_database, "SELECT commit_sha, external_id FROM runs ORDER BY id") == [
            ("c1", "1"),
            ("c2", "1@c2"),
        ]
        assert query(empty_database, "SELECT count(*) FROM results") == [(2,)]


def test_the_earliest_file_tells_when_the_run_began(empty_database: str, tmp_path: Path, query: Query) -> None:
    for number, hour in ((1, 12), (2, 10), (3, 11)):
        text = f'<testsuite timestamp="2026-05-01T{hour}:00:00Z"><testcase name="{number}"/></testsuite>'
        (tmp_path / f"{number}.xml").write_text(text)
    ingest([tmp_path], empty_database, RUN)
    assert str(query(empty_database, "SELECT started_at FROM runs")[0][0]).startswith("2026-05-01 10:00:00")


def test_a_given_start_is_kept(empty_database: str, tmp_path: Path, query: Query) -> None:
    (tmp_path / "a.xml").write_text('<testsuite timestamp="2026-05-01T10:00:00Z"><testcase name="a"/></testsuite>')
    given = RunRow(external_id="1", started_at=datetime(2026, 1, 1, tzinfo=UTC))
    ingest([tmp_path], empty_database, IngestOptions(naming=RunNaming(given)))
    assert str(query(empty_database, "SELECT started_at FROM runs")[0][0]).startswith("2026-01-01 00:00:00")


def test_runs_that_nobody_named_are_kept_apart_by_content(empty_database: str, tmp_path: Path, query: Query) -> None:
    (tmp_path / "1.xml").write_text(junit(case("t")))
    (tmp_path / "2.xml").write_text(junit(case("t", "<failure/>")))
    shutil.copy(tmp_path / "1.xml", tmp_path / "3.xml")
    summary = ingest([tmp_path], empty_database, IngestOptions())
    assert query(empty_database, "SELECT count(*) FROM runs") == [(2,)]
    assert (summary.known_artifacts, summary.unnamed) == (1, 3)


def test_a_log_beside_one_junit_file_is_of_its_run(
    empty_database: str, fixtures: Path, tmp_path: Path, query: Query
) -> None:
    shutil.copy(fixtures / "pytest/xunit2-v.xml", tmp_path / "junit.xml")
    shutil.copy(fixtures / "pytest/xunit2-v.log", tmp_path / "console.log")
    ingest([tmp_path], empty_database, IngestOptions())
    assert query(empty_database, "SELECT count(*) FROM runs") == [(1,)]
    assert query(empty_database, "SELECT count(*) FROM results") == [(21,)]


def test_a_log_beside_several_junit_files_gives_events_only(empty_database: str, fixtures: Path, query: Query) -> None:
    ingest([fixtures / "pytest"], empty_database, IngestOptions())
    extra = "SELECT count(*) FROM results r JOIN artifacts a ON a.id = r.artifact_id WHERE a.kind = 'log'"
    assert query(empty_database, extra) == [(0,)]


BROKEN = {
    "truncated.xml": (junit(case("a"), case("b"))[:-60], "the file ends", 1),
    "empty.xml": ("", "the file is empty", 0),
    "entities.xml": ('<!DOCTYPE a [<!ENTITY b "c">]><testsuite><testcase name="&b;"/></testsuite>', "DOCTYPE", 0),
    "trx.xml": ("<TestRun><x/></TestRun>", "not JUnit: the root element is <TestRun> (MSTest", 0),
    "words.xml": ("Segmentation fault", "not well-formed", 0),
}


def test_broken_files_are_recorded_and_do_not_stop_the_others(
    empty_database: str, tmp_path: Path, query: Query
) -> None:
    for name, (content, _, _) in BROKEN.items():
        (tmp_path / name).write_text(content)
    (tmp_path / "zz-good.xml").write_text(junit(case("good")))
    summary = ingest([tmp_path], empty_database, RUN)
    assert summary.artifacts == len(BROKEN) + 1
    assert {Path(entry.path).name for entry in summary.rejected} == set(BROKEN)
    for entry in summary.rejected:
        assert BROKEN[Path(entry.path).name][1] in entry.reason
        assert entry.position
    issues = query(
        empty_database, "SELECT a.path, i.rejected FROM artifact_issues i JOIN artifacts a ON a.id = i.artifact_id"
    )
    assert {(Path(path).name, bool(rejected)) for path, rejected in issues} == {
        (name, not kept) for name, (_, _, kept) in BROKEN.items()
    }
    assert [row[0] for row in query(empty_database, ATTEMPTS)] == ["a", "good"]


def test_broken_files_are_told_of_again_and_recorded_once(empty_database: str, tmp_path: Path, query: Query) -> None:
    for name, (content, _, _) in BROKEN.items():
        (tmp_path / name).write_text(content)
    first = ingest([tmp_path], empty_database, RUN)
    before = query(empty_database, COUNTS)
    second = ingest([tmp_path], empty_database, RUN)
    assert query(empty_database, COUNTS) == before
    assert [entry.path for entry in second.rejected] == [entry.path for entry in first.rejected]
    assert second.new_results == 0


def test_strict_keeps_nothing_of_a_damaged_file_and_repair_gets_it_later(
    empty_database: str, tmp_path: Path, query: Query
) -> None:
    (tmp_path / "cut.xml").write_text(BROKEN["truncated.xml"][0])
    strict = ingest([tmp_path], empty_database, replace(RUN, strict=True))
    assert (strict.new_results, len(strict.rejected)) == (0, 1)
    later = ingest([tmp_path], empty_database, RUN)
    assert (later.new_results, len(later.rejected)) == (1, 1)
    assert query(empty_database, COUNTS) == [(1, 1, 1, 1, 0, 0, 1)]


def test_a_long_damaged_file_leaves_nothing_when_repair_is_off(
    empty_database: str, tmp_path: Path, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "WHOLE", 1000)
    monkeypatch.setattr("flakehunter.ingest.junit.reader.CHUNK", 4096)
    cases = "".join(case(f"t{number}") for number in range(900))
    (tmp_path / "cut.xml").write_text(junit(cases)[:-40])
    options = replace(RUN, repair=False, limits=Limits(batch_results=300))
    summary = ingest([tmp_path], empty_database, options)
    assert summary.new_results == 0
    assert query(empty_database, COUNTS) == [(1, 1, 0, 0, 0, 0, 1)]
    assert ingest([tmp_path], empty_database, replace(options, repair=True)).new_results == 899


def test_an_exception_in_the_middle_leaves_whole_artifacts(empty_database: str, tmp_path: Path, query: Query) -> None:
    for number in range(3):
        (tmp_path / f"{number}.xml").write_text(junit(case(f"t{number}")))

    class Stop(Exception):  # noqa: N818
        pass

    def stop_after_two(_source: object, summary: Summary) -> None:
        if summary.artifacts == 2:
            raise Stop

    with pytest.raises(Stop):
        ingest([tmp_path], empty_database, RUN, stop_after_two)
    assert query(empty_database, "SELECT count(*) FROM results") == [(2,)]
    assert ingest([tmp_path], empty_database, RUN).new_results == 1


def test_a_path_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        ingest([tmp_path / "nowhere"], url_at(tmp_path / "a.db"), RUN)
    assert not (tmp_path / "a.db").exists()


def test_a_folder_without_artifacts_is_nothing_to_do(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("# words\n")
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0")
    (tmp_path / "pom.xml").write_text("<project/>")
    with pytest.raises(NothingToDoError, match=r"no test artifact in .* \(3 other files\)") as caught:
        ingest([tmp_path], url_at(tmp_path / "a.db"), RUN)
    assert caught.value.exit_code == 4
    assert not (tmp_path / "a.db").exists()


def test_a_layout_that_fits_no_file_names_some(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text(junit(case("t")))
    options = IngestOptions(naming=RunNaming(layout=compile_layout("{commit}/{job}/**")))
    with pytest.raises(NothingToDoError, match=r"no file fits --layout .*a\.xml"):
        ingest([tmp_path], url_at(tmp_path / "a.db"), options)


def test_a_database_that_cannot_be_written_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text(junit(case("t")))
    (tmp_path / "folder").mkdir()
    with pytest.raises(DatabaseError) as caught:
        ingest([tmp_path / "a.xml"], f"sqlite:///{tmp_path / 'folder'}", RUN)
    assert caught.value.exit_code == 5


@pytest.mark.parametrize("jobs", [1, 2, 3], ids=["alone", "read-by-another-process", "packed-by-another-process"])
@pytest.mark.parametrize("first", [0, 2])
def test_what_was_written_is_rolled_up_as_the_rows_say(
    empty_database: str, tmp_path: Path, fixtures: Path, first: int, jobs: int
) -> None:
    """Whether a log came first, whose results a JUnit file takes the place of, and an ingest before or not."""
    options = replace(RUN, jobs=jobs)
    for number, name in enumerate(("pytest/rerunfailures.xml", "vitest/junit.xml", "pytest/xunit2-v.xml")):
        (tmp_path / f"{number}.xml").write_bytes((fixtures / name).read_bytes())
    (tmp_path / "0.log").write_bytes((fixtures / "vitest/verbose.log").read_bytes())
    if first:
        ingest([tmp_path / "0.log", tmp_path / "0.xml"], empty_database, options)
    ingest([tmp_path], empty_database, options)
    engine = create_engine(empty_database)
    try:
        with engine.begin() as connection:
            rolled = read_packed(connection, "default")
            connection.execute(text("DELETE FROM rollups"))
            rows = read_packed(connection, "default")
    finally:
        engine.dispose()
    assert len(rolled.test) > 20

    def sorted_(packed: Packed) -> list[tuple[int, ...]]:
        return sorted(zip(packed.test.tolist(), packed.run.tolist(), packed.outcome.tolist(), strict=True))

    assert sorted_(rolled) == sorted_(rows)


def test_projects_are_kept_apart(empty_database: str, tmp_path: Path, query: Query) -> None:
    (tmp_path / "a.xml").write_text(junit(case("t")))
    ingest([tmp_path], empty_database, RUN)
    assert ingest([tmp_path], empty_database, replace(RUN, project="other")).new_results == 1
    assert query(empty_database, "SELECT count(*) FROM test_cases") == [(2,)]
