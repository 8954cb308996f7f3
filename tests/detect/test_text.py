"""Text rules at work: whole failures of many runners, and the parts that rules look at."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from flakehunter.db.queries.failures import Event, FailureText
from flakehunter.detect.rulebook import built_in
from flakehunter.detect.text import TEXT_LIMIT, Readings, match_failures, match_log, split_code
from flakehunter.detect.weigh import Case, mechanism_shares, most_likely
from flakehunter.model import LogEventKind

CORPUS = tomllib.loads((Path(__file__).parent / "failures.toml").read_text(encoding="utf-8"))["failure"]


def text(entry: dict[str, Any], fingerprint: bytes = b"f", alike: int = 1) -> FailureText:
    return FailureText(1, 1, fingerprint, 1, alike, 1, entry["type"], entry["message"], entry["detail"])


def name(number: int) -> str:
    return f"{CORPUS[number]['mechanism']}-{CORPUS[number]['runner']}-{number}"


@pytest.mark.parametrize("number", range(len(CORPUS)), ids=name)
def test_mechanism_of_a_single_failure(number: int) -> None:
    entry = CORPUS[number]
    matches = match_failures(Readings(built_in()), [text(entry)], "test_something")
    mechanism, _ = most_likely(mechanism_shares(Case(executed=10, history=None, matches=matches)))
    why = [(match.rule.id, match.quote) for match in matches]
    assert (mechanism.value if mechanism else "none") == entry["mechanism"], why


def test_share_counts_failures_by_fingerprint() -> None:
    timeout = {"type": "TimeoutExpired", "message": "timed out after 1 seconds", "detail": ""}
    other = {"type": "KeyError", "message": "'a'", "detail": ""}
    matches = match_failures(Readings(built_in()), [text(timeout, b"1", 3), text(other, b"2", 9)], "test_it")
    [match] = [match for match in matches if match.rule.id == "python-timeout-expired"]
    assert (match.failures, match.share) == (3, 0.25)


def test_code_is_told_from_what_is_said() -> None:
    said, code = split_code(
        "    def test_it():\n        job.abort()\n>       assert not alive\nE       assert not True\n\n"
        "tests/test_it.py:4: AssertionError\n----- Captured stdout call -----\n    indented output"
    )
    assert code.splitlines()[1:] == ["          job.abort()", ">        assert not alive"]
    assert "E       assert not True" in said
    assert "    indented output" in said


def test_code_of_a_python_traceback_and_of_a_code_frame() -> None:
    said, code = split_code('Traceback:\n  File "a.py", line 3, in f\n    proc.kill()\nOSError: no')
    assert (said, code) == ('Traceback:\n  File "a.py", line 3, in f\nOSError: no', "> proc.kill()")
    _, code = split_code("Error: x\n   12|   abort();\n > 13|   expect(alive).toBe(false);")
    assert code == "    abort();\n>   expect(alive).toBe(false);"


def event(run: int, words: str) -> Event:
    return Event(run, 1, run, "console.log", 3, None, LogEventKind.SIGNAL, None, words)


def test_log_lines_count_by_how_much_more_often_they_stand_in_failed_runs() -> None:
    events = [event(run, "sleeping for 2 s") for run in range(8)]
    [match] = [one for one in match_log(built_in(), events[:6], {0, 1}) if one.rule.id == "log-sleeping"] or [None]
    assert match is None
    events = [event(run, "sleeping for 2 s" if run in (0, 1, 2) else "done") for run in range(6)]
    [match] = [one for one in match_log(built_in(), events, {0, 1}) if one.rule.id == "log-sleeping"]
    assert match.share == pytest.approx(0.75)
    assert match.ref == "log_events:1 console.log:3"


def test_a_huge_text_is_cut_and_still_read_at_both_ends() -> None:
    detail = "EADDRINUSE\n" + "x" * 3 * TEXT_LIMIT + "\n[sleep] <defunct>"
    entry = {"type": "", "message": "", "detail": detail}
    found = {match.rule.id for match in match_failures(Readings(built_in()), [text(entry)], "")}
    assert {"address-in-use", "defunct"} <= found


@pytest.mark.timeout(60)
@pytest.mark.parametrize("unit", ["a ", "kill(", "    sleep(1)\n", "> assert alive\n", "process not ", "1 (x) "])
def test_no_rule_takes_long_on_repetitive_text(unit: str) -> None:
    import time

    long = (unit * TEXT_LIMIT)[:TEXT_LIMIT]
    slow = []
    for rule in built_in():
        start = time.process_time()
        rule.pattern.search(long)
        if time.process_time() - start > 1.0:
            slow.append(rule.id)
    assert slow == []


def test_quoted_line_keeps_its_strings() -> None:
    entry = {
        "type": "E",
        "message": "",
        "detail": "    a.kill()\n    time.sleep(1)\n>   assert alive, f'{pid} lives'\nE   x",
    }
    matches = match_failures(Readings(built_in()), [text(entry)], "")
    [match] = [one for one in matches if one.rule.id == "signal-sleep-failing-line"]
    assert match.quote == "assert alive, f'{pid} lives'"
