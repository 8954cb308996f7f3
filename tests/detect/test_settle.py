"""What would settle a verdict, and what changed where a test began to fail."""

from pathlib import Path

from flakehunter.detect.assess import Assessment, detect
from flakehunter.detect.output import entry, table_lines
from flakehunter.detect.settle import next_steps
from flakehunter.detect.weigh import Weighed
from flakehunter.model import Evidence, EvidenceSource, Interval, Verdict
from tests.detect.builder import DatabaseBuilder


def weighed(verdict: Verdict, *sources: EvidenceSource, since: str = "") -> Weighed:
    """Return a verdict with one piece of evidence of each source."""
    evidence = [Evidence(source, "text", 0.5, "") for source in sources]
    return Weighed(verdict, 0.9, Interval(0.1, 0.05, 0.2), None, None, since, evidence)


def commands(one: Weighed) -> list[str]:
    """Return the commands that are told for a test."""
    return [step.command for step in next_steps("suite :: test a", one)]


def test_next_step_is_what_was_not_tried_yet() -> None:
    flaky = Verdict.FLAKY
    trace, repro = "flakehunter trace 'suite :: test a'", "flakehunter repro 'suite :: test a'"
    assert commands(weighed(flaky, EvidenceSource.HISTORY)) == [trace, repro]
    assert commands(weighed(flaky, EvidenceSource.TRACE)) == [repro]
    assert commands(weighed(flaky, EvidenceSource.TRACE, EvidenceSource.REPRO)) == [f"{repro} --fix-rev BRANCH"]
    assert commands(weighed(Verdict.UNKNOWN, EvidenceSource.HISTORY)) == [repro]
    assert commands(weighed(Verdict.HEALTHY)) == []
    [broken] = next_steps("a", weighed(Verdict.BROKEN, EvidenceSource.HISTORY, since="c006"))
    assert broken.command == "flakehunter show a"
    assert "commit c006" in broken.shows


def onset(folder: Path, **after: object) -> Assessment:
    """Return a test that flakes since the twentieth of forty commits, at which `after` changed too."""
    builder = DatabaseBuilder(folder)
    before = {"runner": "ubuntu-22.04", "cpus": 4, "parallel": 2, "time_limit_s": 60.0}
    for commit in range(40):
        for repeat in range(2):
            columns = {**before, **after} if commit >= 20 else before
            run = builder.run(f"c{commit:03d}", **columns)
            builder.result(run, "test_it", "F" if commit >= 20 and (commit + repeat) % 3 == 0 else "P")
            for number in range(6):
                builder.result(run, f"test_healthy_{number}", "P")
    [one] = [one for one in detect(builder.close()).assessments if one.test.identity.name == "test_it"]
    return one


def test_what_else_changed_where_it_began_is_told(tmp_path: Path) -> None:
    one = onset(tmp_path, runner="ubuntu-24.04", cpus=2)
    assert one.weighed.verdict is Verdict.FLAKY
    [text] = [item.text for item in one.weighed.evidence if item.text.startswith("began to fail")]
    assert text.endswith(
        "at the same time the runner changed from ubuntu-22.04 to ubuntu-24.04 "
        "and the number of CPUs changed from 4 to 2"
    )
    assert any("on machines with 2 CPUs" in item.text for item in one.weighed.evidence)


def test_more_tests_at_a_time_and_another_time_limit_are_told(tmp_path: Path) -> None:
    one = onset(tmp_path, parallel=8, time_limit_s=7.5)
    texts = [item.text for item in one.weighed.evidence]
    [began] = [text for text in texts if text.startswith("began to fail")]
    assert began.endswith(
        "at the same time the number of tests at a time changed from 2 to 8 "
        "and the time limit of a test, in seconds, changed from 60 to 7.5"
    )
    assert any("fails more where 8 tests run at a time: in " in text for text in texts)
    assert any("fails more where a test may take 7.5 s: in " in text for text in texts)


def test_nothing_else_changed_is_not_told(tmp_path: Path) -> None:
    one = onset(tmp_path)
    [text] = [item.text for item in one.weighed.evidence if item.text.startswith("began to fail")]
    assert "at the same time" not in text


def test_table_and_json_say_what_would_settle_it(tmp_path: Path) -> None:
    builder = DatabaseBuilder(tmp_path)
    builder.commits({"test_it": "PP PF PP PP FP PP PP"})
    detection = detect(builder.close())
    lines = [line for _, line in table_lines(detection, width=100)]
    assert "    to settle it: flakehunter trace" in "\n".join(lines)
    [one] = detection.flaky
    assert [step["command"].split()[:2] for step in entry(one)["next"]] == [
        ["flakehunter", "trace"],
        ["flakehunter", "repro"],
    ]
