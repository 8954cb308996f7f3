"""Console logs become events and results, tied to the test they belong to."""

import io
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from flakehunter.db.rows import Batch, RunSettings
from flakehunter.ingest.limits import DEFAULT_LIMITS, Limits
from flakehunter.ingest.logs.events import classify
from flakehunter.ingest.logs.prefixes import split_prefix
from flakehunter.ingest.logs.reading import LogFile, looks_like_log
from flakehunter.ingest.pipeline import IngestOptions, ingest
from tests.databases import url_at


def read(text: str | Path, limits: Limits = DEFAULT_LIMITS) -> tuple[LogFile, Batch]:
    data = text.read_bytes() if isinstance(text, Path) else text.encode()
    log = LogFile(io.BytesIO(data), limits)
    return log, log.batch()


def results(batch: Batch) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for test, _, outcome, _, _ in batch.results:
        found.setdefault(batch.tests[test].name, []).append(outcome)
    return found


CHILD = ("tests.test_processes.TestGroup", "test_child_is_gone")


@pytest.mark.parametrize("name", ["xunit1", "xunit2-v", "xunit2-n-v"])
def test_pytest_process_lines_belong_to_their_test(name: str, fixtures: Path) -> None:
    log, batch = read(fixtures / f"pytest/{name}.log")
    assert log.formats == ["pytest"]
    of_child = [event for event in batch.events if event.test == CHILD]
    texts = [event.text for event in of_child]
    assert any(text.startswith("child pid ") for text in texts)
    assert any(text.startswith("sent SIGTERM to pid ") for text in texts)
    assert {event.pid for event in of_child if event.text.startswith(("child pid", "sent SIGTERM"))} == {
        event.pid for event in of_child if event.pid
    }
    assert not any("os.kill(" in text for text in texts), "source code that pytest quotes is nothing that happened"
    assert any(event.test == ("tests.test_processes", "test_times_out") for event in batch.events)


def test_pytest_verbose_results_are_those_of_the_junit_file(fixtures: Path) -> None:
    _, batch = read(fixtures / "pytest/xunit2-v.log")
    found = results(batch)
    assert found["test_child_is_gone"] == ["failed"]
    assert found["test_passes_and_errors_in_teardown"] == ["errored"]
    assert found["test_fails_and_errors_in_teardown"] == ["failed"]
    assert found["test_skipped"] == found["test_expected_failure"] == ["skipped"]
    assert found["test_parametrised[with space]"] == ["passed"]


TIMED = """============================= test session starts ==============================
platform linux -- Python 3.11.7, pytest-9.2.0, pluggy-1.7.0
timeout: 7.5s
timeout method: signal
collected 1 item

test_a.py::test_a created: 9/9 workers
timeout: 60.0s
PASSED                                                 [100%]

============================== 1 passed in 0.01s ===============================
"""


def test_logs_say_how_many_tests_run_at_a_time_and_how_long_one_may_take(
    fixtures: Path, tmp_path: Path, query: Callable[..., list[tuple[Any, ...]]]
) -> None:
    assert read(fixtures / "playwright/list.log")[1].settings == RunSettings(parallel=1)
    assert read(fixtures / "pytest/xunit2-v.log")[1].settings == RunSettings()
    assert read(TIMED)[1].settings == RunSettings(time_limit_s=7.5), "what a test prints counts for nothing"
    history = tmp_path / "in"
    for name, text in (("a", TIMED), ("b", (fixtures / "pytest/xunit2-n-v.log").read_text())):
        (history / name).mkdir(parents=True)
        (history / name / "console.log").write_text(text)
    (history / "runs.csv").write_text("path,run_id,parallel,time_limit\na,1,,\nb,2,5,60\n")
    ingest([history], url_at(tmp_path / "x.db"), IngestOptions())
    found = query(url_at(tmp_path / "x.db"), "SELECT external_id, parallel, time_limit_s FROM runs ORDER BY 1")
    assert found == [("1", None, 7.5), ("2", 5, 60.0)], "a table is trusted more than a log"


def test_pytest_reruns_are_attempts(fixtures: Path) -> None:
    _, batch = read(fixtures / "pytest/rerunfailures.log")
    assert results(batch)["test_fails_twice_then_passes"] == ["failed", "failed", "passed"]


def test_pytest_output_between_name_and_result_belongs_to_the_test() -> None:
    _, batch = read(
        "===== test session starts =====\n"
        "tests/test_a.py::test_one[x y] started pid 4711\n"
        "sent SIGKILL to 4711\n"
        "PASSED [ 50%]\n"
        "killed 99 outside\n"
        "===== 1 passed in 0.1s =====\n"
    )
    owner = ("tests.test_a", "test_one[x y]")
    assert [(event.text, event.test) for event in batch.events] == [
        ("tests/test_a.py::test_one[x y] started pid 4711", owner),
        ("sent SIGKILL to 4711", owner),
        ("killed 99 outside", None),
    ]
    assert results(batch) == {"test_one[x y]": ["passed"]}


@pytest.mark.parametrize("name", ["default", "verbose", "github"])
def test_vitest_process_lines_belong_to_their_test(name: str, fixtures: Path) -> None:
    log, batch = read(fixtures / f"vitest/{name}.log")
    assert log.formats == ["vitest"]
    child = ("test/processes.test.js", "group > inner > with arrow > child is gone")
    texts = [event.text for event in batch.events if event.test == child]
    assert any(text.startswith("child pid ") for text in texts)
    assert any(text.endswith("still alive: true") for text in texts)
    assert ("test/processes.test.js", "times out") in {event.test for event in batch.events}


def test_vitest_retries_are_attempts(fixtures: Path) -> None:
    _, batch = read(fixtures / "vitest/verbose.log")
    found = results(batch)
    assert found["flaky"] == ["failed", "passed"]
    assert found["fails on every retry"] == ["failed", "failed"]
    assert found["group > skipped"] == ["skipped"]


def test_vitest_default_reporter_names_failures_in_full(fixtures: Path) -> None:
    _, batch = read(fixtures / "vitest/default.log")
    assert results(batch)["group > inner > with arrow > child is gone"] == ["failed"]
    assert "child is gone" not in results(batch)


NEXTEST = """    Nextest run ID 5f9d5cbd with nextest profile: ci
    Starting 5 tests across 2 binaries (1 test skipped)
        PASS [   0.004s] demo tests::passes
  TRY 1 FAIL [   0.010s] demo tests::flaky
   RETRY 2/3 [         ] demo tests::flaky
  TRY 2 PASS [   0.011s] demo tests::flaky
        FAIL [   0.005s] demo::outside child_is_gone

--- STDOUT:              demo::outside child_is_gone ---
sent SIGKILL to pid 4711

     TIMEOUT [  60.003s] demo::outside hangs
     SIGSEGV [   0.020s] demo::outside crashes
------------
     Summary [  60.100s] 5 tests run: 2 passed (1 flaky), 2 failed, 1 timed out, 1 skipped
   FLAKY 2/3 [   0.011s] demo tests::flaky
        FAIL [   0.005s] demo::outside child_is_gone
     SIGSEGV [   0.020s] demo::outside crashes
     TIMEOUT [  60.003s] demo::outside hangs
"""
"""From the documented format (nexte.st, "Reporting test results"): the tool is not among the producers."""


def test_nextest_tries_are_attempts_and_the_summary_repeats_none() -> None:
    log, batch = read(NEXTEST)
    assert log.formats == ["cargo-nextest"]
    assert results(batch) == {
        "tests::passes": ["passed"],
        "tests::flaky": ["failed", "passed"],
        "child_is_gone": ["failed"],
        "hangs": ["failed"],
        "crashes": ["failed"],
    }
    owners = {event.text: event.test for event in batch.events}
    assert owners["sent SIGKILL to pid 4711"] == ("demo::outside", "child_is_gone")


def test_github_timestamps_are_the_events_times(fixtures: Path) -> None:
    log, batch = read(fixtures / "vitest/github.log")
    assert log.started_at == datetime(2026, 1, 5, 10, tzinfo=UTC)
    assert all(event.time is not None for event in batch.events)


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("2026-01-05T10:00:00.1234567Z killed", "killed"),
        ("\ufeff2026-01-05T10:00:00.1234567Z ##[error]killed", "killed"),
        ("test\tRun tests\t2026-01-05T10:00:00.1234567Z killed", "killed"),
        ("2026-01-05T10:00:00.123456Z 01O killed", "killed"),
        ("[2026-01-05T10:00:00.123Z] killed", "killed"),
        ("\x1b_bk;t=1767607200123\x07\x1b[31mkilled\x1b[0m", "killed"),
        ("section_start:1767607200:step[collapsed=true]\r\x1b[0Kkilled", "killed"),
    ],
    ids=["github", "github-error", "gh-run-view", "gitlab", "jenkins", "buildkite", "gitlab-section"],
)
def test_what_ci_services_write_before_a_line_is_taken_off(line: str, text: str) -> None:
    moment, rest = split_prefix(line + "\n")
    assert rest == text
    assert moment is not None
    assert moment.replace(microsecond=0) == datetime(2026, 1, 5, 10, tzinfo=UTC)


def test_an_overwritten_line_is_its_last_state() -> None:
    assert split_prefix("10 %\r50 %\r100 % killed\r\n") == (None, "100 % killed")


@pytest.mark.parametrize(
    ("line", "kind", "pid"),
    [
        ("sent SIGTERM to process group 4711", "signal", 4711),
        ("kill(4711, 0) says ESRCH", "kill", 4711),
        ("process 4711 is still alive", "process", 4711),
        ("OSError: [Errno 3] No such process (ESRCH)", "process", None),
        ("listen EADDRINUSE: address already in use :::8080", "process", None),
        ("Text file busy (ETXTBSY)", "process", None),
        ("Process completed with exit code 137.", "kill", None),
        ("returncode -9", "kill", None),
        ("Test timed out in 5000ms.", "timeout", None),
        ("AssignProcessToJobObject failed: [WinError 5] Access is denied", "job", None),
        ("[WinError 32] The process cannot access the file", "job", None),
        ("4711 pts/0 Z+ 0:00 [sleep] <defunct>", "process", None),
        ("worker did not exit", "process", None),
        ("Out of memory: Killed process 4711 (node)", "kill", 4711),
    ],
)
def test_lines_that_matter(line: str, kind: str, pid: int | None) -> None:
    found = classify(line)
    assert found is not None
    assert (found[0].value, found[1]) == (kind, pid)


@pytest.mark.parametrize(
    "line",
    ["", "collected 3 items", "skill level 9000", "tests/test_a.py ....", "npm install finished", "def test_x():"],
)
def test_lines_that_do_not_matter(line: str) -> None:
    assert classify(line) is None


def test_too_many_events_are_counted_not_kept() -> None:
    _, batch = read("killed pid 1\n" * 10, Limits(events=4))
    assert len(batch.events) == 4
    assert "6 more lines" in batch.issues[0].reason


def test_binary_rubbish_is_read_without_an_error() -> None:
    data = bytes(range(256)) * 50
    batch = LogFile(io.BytesIO(data), DEFAULT_LIMITS).batch()
    assert batch.results == []


def test_a_log_is_recognised_by_its_content(fixtures: Path) -> None:
    assert looks_like_log((fixtures / "vitest/github.log").read_bytes())
    assert looks_like_log((fixtures / "pytest/xunit1.log").read_bytes())
    assert not looks_like_log(b"# A readme\n\nwith some text\n")
