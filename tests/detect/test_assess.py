"""Verdicts on histories whose truth is known."""

from pathlib import Path

import pytest
from sqlalchemy import select

from flakehunter.db.engine import open_database, readonly
from flakehunter.db.schema import Finding, TestVerdict
from flakehunter.detect import circumstances
from flakehunter.detect.assess import Assessment, Detection, detect
from flakehunter.errors import NothingToDoError, UsageError
from flakehunter.model import EvidenceSource, Mechanism, Verdict
from tests.detect.builder import STILL_ALIVE, DatabaseBuilder


def found(detection: Detection, name: str) -> Assessment:
    """Return the one test of that name."""
    [one] = [one for one in detection.assessments if one.test.identity.name == name]
    return one


@pytest.mark.parametrize(
    ("history", "verdict"),
    [
        ("PP PF PP PP FP PP PP", Verdict.FLAKY),
        ("PP PP PP PP PF PP PP PP PP PP PP PP PP PP PP PP PP PP PP PP", Verdict.FLAKY),
        ("P F P P F P P P F P P P P F P", Verdict.FLAKY),
        ("PP PP FF FF FF FF FF FF PP PP PP PP", Verdict.HEALTHY),
        ("P P P F F F F F F P P P P P P P P P P", Verdict.HEALTHY),
        ("PP PP PP PP PP PP FF FF FF FF", Verdict.BROKEN),
        ("FF FF FF FF", Verdict.BROKEN),
        ("P P P P F P P P P P P P P P P P P P P P", Verdict.UNKNOWN),
        ("F", Verdict.UNKNOWN),
        ("PP PP PP PP", Verdict.HEALTHY),
        ("SS SS SS", Verdict.UNKNOWN),
    ],
    ids=[
        "same commit",
        "once in forty",
        "one run a commit",
        "regression mended",
        "regression mended, one run a commit",
        "broken now",
        "new and never passed",
        "one commit broken",
        "one run",
        "never failed",
        "always skipped",
    ],
)
def test_verdict_of_history(tmp_path: Path, history: str, verdict: Verdict) -> None:
    builder = DatabaseBuilder(tmp_path)
    builder.commits({"test_it": history})
    one = found(detect(builder.close()), "test_it")
    assert one.weighed.verdict is verdict
    assert 0.0 <= one.weighed.rate.low <= one.weighed.rate.value <= one.weighed.rate.high <= 1.0


def test_evidence_says_whether_it_is_proof_or_flips(tmp_path: Path) -> None:
    builder = DatabaseBuilder(tmp_path)
    builder.commits({"test_proof": "PP PF PP PP FP PP", "test_flips": "P F P P F P P P F P P P P F P"})
    detection = detect(builder.close())
    proof = found(detection, "test_proof").weighed
    assert proof.since == "c001"
    assert "same commit, both outcomes at 2 commits of 6: proof of a flake" in proof.evidence[0].text
    assert proof.evidence[0].ref == "commits:c001,c004"
    flips = found(detection, "test_flips").weighed
    assert "no commit with both outcomes" in flips.evidence[0].text
    assert "4 short failures between passing commits" in flips.evidence[0].text


def test_outage_is_no_evidence(tmp_path: Path) -> None:
    builder = DatabaseBuilder(tmp_path)
    names = [f"test_{number}" for number in range(10)]
    for commit in range(6):
        for repeat in range(2):
            run = builder.run(f"c{commit}")
            for name in names:
                builder.result(run, name, "F" if (commit, repeat) == (3, 1) else "P")
    detection = detect(builder.close())
    assert [run.failed for run in detection.outages] == [10]
    assert {one.weighed.verdict for one in detection.assessments} == {Verdict.HEALTHY}
    assert "outage" in found(detection, "test_3").weighed.evidence[0].text


def test_job_that_always_fails_is_broken_and_no_outage(tmp_path: Path) -> None:
    builder = DatabaseBuilder(tmp_path)
    for commit in range(4):
        run = builder.run(f"c{commit}", job="windows")
        for number in range(8):
            builder.result(run, f"test_{number}", "F")
    detection = detect(builder.close())
    assert detection.outages == []
    assert {one.weighed.verdict for one in detection.assessments} == {Verdict.BROKEN}


def test_platforms_are_not_compared_with_each_other(tmp_path: Path) -> None:
    builder = DatabaseBuilder(tmp_path)
    builder.commits({"test_it": "P P P P P P P P"})
    builder.commits({"test_it": "F F F F F F F F"}, job="windows")
    one = found(detect(builder.close()), "test_it").weighed
    assert one.verdict is Verdict.BROKEN
    assert one.since == "c000"


def test_regression_on_a_branch_is_no_flip_of_main(tmp_path: Path) -> None:
    builder = DatabaseBuilder(tmp_path)
    for number in range(12):
        for branch, letter in (("main", "P"), (f"feature-{number % 2}", "F")):
            run = builder.run(f"{branch}-{number}", branch=branch)
            builder.result(run, "test_it", letter)
            for other in range(6):
                builder.result(run, f"test_{other}", "P")
    assert found(detect(builder.close()), "test_it").weighed.verdict is Verdict.HEALTHY


def test_retry_within_a_run_is_proof(tmp_path: Path) -> None:
    builder = DatabaseBuilder(tmp_path)
    for commit in range(8):
        run = builder.run(f"c{commit}")
        builder.result(run, "test_it", "FP" if commit == 5 else "P")
    one = found(detect(builder.close()), "test_it").weighed
    assert one.verdict is Verdict.FLAKY
    assert any("a retry turned a failure into a pass in 1 run" in item.text for item in one.evidence)


def test_unknown_commits_are_not_one_commit(tmp_path: Path) -> None:
    builder = DatabaseBuilder(tmp_path)
    for letter in "PPPPFFFFPPPP":
        run = builder.run("")
        builder.result(run, "test_it", letter)
        for other in range(6):
            builder.result(run, f"test_{other}", "P")
    one = found(detect(builder.close()), "test_it").weighed
    assert one.verdict is Verdict.HEALTHY
    assert not any("same commit" in item.text for item in one.evidence)


def test_mechanism_comes_with_words_and_rows(tmp_path: Path) -> None:
    builder = DatabaseBuilder(tmp_path)
    runs = builder.commits({"test_abort": "PP PF PP FP PP PP"}, failure=STILL_ALIVE)
    builder.event(runs[3], "test_abort", 40, "sending SIGTERM to process group 4700")
    builder.event(runs[3], "test_abort", 41, "4711 is alive")
    url = builder.close()
    one = found(detect(url), "test_abort").weighed
    assert one.mechanism is Mechanism.CHECK_BEFORE_EXIT
    assert one.p_mechanism is not None
    assert one.p_mechanism > 0.9
    texts = [item for item in one.evidence if item.source is EvidenceSource.TEXT]
    assert any("still alive right after the abort" in item.text and "2 of 2 failures" in item.text for item in texts)
    assert any(item.ref.endswith("runs/4/junit.xml:40") for item in texts)
    assert [item.weight for item in one.evidence] == sorted((item.weight for item in one.evidence), reverse=True)


def test_log_lines_of_passed_runs_too_say_little(tmp_path: Path) -> None:
    builder = DatabaseBuilder(tmp_path)
    runs = builder.commits({"test_it": "PP PF PP FP PP PP"})
    for run in runs:
        builder.event(run, "test_it", 7, "sending SIGTERM to process group 4700\n4711 is alive")
    one = found(detect(builder.close()), "test_it")
    assert one.weighed.verdict is Verdict.FLAKY
    assert one.weighed.mechanism is None


def test_verdicts_and_findings_are_replaced(tmp_path: Path) -> None:
    builder = DatabaseBuilder(tmp_path)
    builder.commits({"test_abort": "PP PF PP FP PP PP"}, failure=STILL_ALIVE)
    url = builder.close()
    detect(url)
    detect(url)
    engine = open_database(url)
    with readonly(engine).connect() as connection:
        verdicts = connection.execute(select(TestVerdict.test_case_id, TestVerdict.verdict)).all()
        findings = connection.execute(select(Finding.mechanism, Finding.evidence)).all()
    engine.dispose()
    assert len(verdicts) == 7
    assert {tuple(row) for row in verdicts if row.verdict is Verdict.FLAKY} == {(1, Verdict.FLAKY)}
    assert len(findings) == len({finding.evidence["rule"] for finding in findings})
    assert Mechanism.CHECK_BEFORE_EXIT in {finding.mechanism for finding in findings}


def test_worst_comes_first(tmp_path: Path) -> None:
    builder = DatabaseBuilder(tmp_path)
    builder.commits(
        {
            "test_rare": "PP PP PP PF PP PP PP PP PP PP",
            "test_often": "PF FP PF PF FF FP PP PF FP PF",
            "test_broken": "PP PP PP PP PP PP FF FF FF FF",
        }
    )
    names = [one.test.identity.name for one in detect(builder.close()).assessments]
    assert names[:3] == ["test_often", "test_rare", "test_broken"]


def test_projects_are_kept_apart(tmp_path: Path) -> None:
    first = DatabaseBuilder(tmp_path, "first")
    first.commits({"test_it": "PF PF PF"})
    first.close()
    second = DatabaseBuilder(tmp_path, "second")
    second.commits({"test_it": "PP PP PP"})
    url = second.close()
    assert [len(detect(url, project=name).flaky) for name in ("first", "second")] == [1, 0]
    assert len(detect(url).assessments) == 14
    with pytest.raises(UsageError, match="no project 'third'") as caught:
        detect(url, project="third")
    assert caught.value.hint == "one of: first, second"


def test_database_without_results_is_nothing_to_work_on(tmp_path: Path) -> None:
    url = DatabaseBuilder(tmp_path).close()
    with pytest.raises(NothingToDoError, match="holds no results"):
        detect(url)


def test_detect_on_postgresql_says_the_same(tmp_path: Path, empty_database: str) -> None:
    builder = DatabaseBuilder(tmp_path, url=empty_database)
    builder.commits({"test_it": "PP PF PP PP FP PP", "test_mended": "PP FF FF FF FF PP"})
    detection = detect(builder.close())
    assert found(detection, "test_it").weighed.verdict is Verdict.FLAKY
    assert found(detection, "test_mended").weighed.verdict is Verdict.HEALTHY


def bad_run_history(folder: Path, *, same: bool) -> DatabaseBuilder:
    """Two runs at each of 20 commits, 40 tests; in four runs seven tests fail, the same ones or others."""
    builder = DatabaseBuilder(folder)
    for commit in range(20):
        for repeat in range(2):
            run = builder.run(f"c{commit:02d}")
            start = 0 if same else commit * 2
            hit = range(start, start + 7) if commit in (3, 8, 13, 16) and repeat == 0 else ()
            for number in range(40):
                builder.result(run, f"test_{number}", "F" if number in hit else "P")
    return builder


def test_failures_of_bad_runs_are_one_cause_each(tmp_path: Path) -> None:
    detection = detect(bad_run_history(tmp_path, same=False).close())
    assert [len(one.tests) for one in detection.bad_runs] == [7, 7, 7, 7]
    assert detection.flaky == []
    evidence = found(detection, "test_8").weighed.evidence
    assert any("together with up to 6 other tests: counted as one cause" in item.text for item in evidence)


def test_tests_that_every_bad_run_hits_are_flaky(tmp_path: Path) -> None:
    detection = detect(bad_run_history(tmp_path, same=True).close())
    assert {one.test.identity.name for one in detection.flaky} == {f"test_{number}" for number in range(7)}
    assert "always the same tests" in " ".join(item.text for item in detection.flaky[0].weighed.evidence)


def test_breakage_of_many_tests_is_no_bad_run(tmp_path: Path) -> None:
    builder = DatabaseBuilder(tmp_path)
    for commit in range(10):
        for _ in range(2):
            run = builder.run(f"c{commit}")
            for number in range(20):
                builder.result(run, f"test_{number}", "F" if number < 8 and commit >= 7 else "P")
    detection = detect(builder.close())
    assert detection.bad_runs == []
    assert [one.weighed.verdict for one in detection.assessments].count(Verdict.BROKEN) == 8


def test_change_point_gives_a_commit_range(tmp_path: Path) -> None:
    builder = DatabaseBuilder(tmp_path)
    builder.commits({"test_it": "PP " * 30 + "PF PP FP PF PP FP FP PP PF PF FP PP " * 2})
    one = found(detect(builder.close()), "test_it").weighed
    assert one.since == "c030"
    [text] = [item.text for item in one.evidence if "began to fail" in item.text]
    assert "most likely c030" in text


def test_runner_and_load_are_named_when_they_matter(tmp_path: Path) -> None:
    builder = DatabaseBuilder(tmp_path)
    for commit in range(30):
        for repeat in range(2):
            slow = (commit + repeat) % 3 == 0
            run = builder.run(f"c{commit:02d}", runner="small" if slow else f"big-{repeat}")
            builder.result(run, "test_it", "F" if slow and commit % 2 else "P")
            builder.result(run, "test_calm", "F" if commit % 7 == repeat else "P")
            for number in range(6):
                builder.result(run, f"test_{number}", "P", duration_s=0.3 if slow else 0.1)
    detection = detect(builder.close())
    texts = " ".join(item.text for item in found(detection, "test_it").weighed.evidence)
    assert "fails more on runner small" in texts
    assert "neighbouring tests took 3.0 times as long" in texts
    assert "fails more on runner" not in " ".join(item.text for item in found(detection, "test_calm").weighed.evidence)


def test_last_digits_of_a_sum_of_durations_are_no_load(tmp_path: Path) -> None:
    builder = DatabaseBuilder(tmp_path)
    for commit in range(60):
        run = builder.run(f"c{commit:02d}")
        builder.result(run, "test_it", "F" if commit % 3 == 0 else "P")
        for number in range(6):
            builder.result(run, f"test_{number}", "P", duration_s=0.1 if commit % 3 else 0.1 + 1e-12)
    one = found(detect(builder.close()), "test_it")
    assert "neighbouring tests" not in " ".join(item.text for item in one.weighed.evidence)


@pytest.mark.parametrize("at_once", [1, 2, 500])
def test_tests_that_fail_in_the_same_runs_name_each_other_and_what_they_cost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(circumstances, "TESTS_AT_ONCE", at_once)
    builder = DatabaseBuilder(tmp_path)
    history = "PP PF PP FP PP PF PP PP"
    builder.commits({"test_one": history, "test_two": history, "test_other": "PF PP PP PP FP PP PP PP"})
    detection = detect(builder.close())
    one = found(detection, "test_one")
    [together] = [item.text for item in one.weighed.evidence if "same runs as" in item.text]
    assert together == "fails in mostly the same runs as pytest::tests.test_it::test_two: perhaps one cause"
    assert (one.cost.builds_lost, one.cost.builds_lost_alone) == (3, 0)
    assert found(detection, "test_other").cost.builds_lost_alone == 2


def test_a_fingerprint_counts_with_all_its_texts(tmp_path: Path) -> None:
    builder = DatabaseBuilder(tmp_path)
    for commit in range(12):
        run = builder.run(f"c{commit:02d}")
        text = ("OSError", f"[Errno 98] Address already in use: port {commit}", "")
        builder.result(run, "test_port", "F" if commit % 2 else "P", failure=text)
        builder.result(run, "test_port", "P")
    [match] = [one for one in found(detect(builder.close()), "test_port").matches if one.rule.id == "address-in-use"]
    assert (match.failures, match.share) == (6, 1.0)
