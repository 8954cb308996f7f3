"""What a fix is checked for beside its failure rate, and the arms that need no other command."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from flakehunter.cli.app import main
from flakehunter.errors import UsageError
from flakehunter.model import ReproVerdict
from flakehunter.repro.arms import backend_arms, with_environment
from flakehunter.repro.bundle import read_bundle, write_bundle
from flakehunter.repro.command import plain_command
from flakehunter.repro.deadline import MULTIPLE, recommend, time_to_death
from flakehunter.repro.fixcheck import check_fix, counterpart
from flakehunter.repro.search import first_victim
from flakehunter.repro.trial import ProcessRecord, TrialReport


def fails_from(critical_ms: float) -> Callable[[float, int, int], bool]:
    return lambda delay_ms, _trials, _enough: delay_ms >= critical_ms


@pytest.mark.parametrize(
    ("critical_ms", "holds", "survived_ms"), [(300, False, 0), (999, False, 0), (1500, True, 1000), (9999, True, 2000)]
)
def test_the_critical_delay_after_a_fix_is_found(critical_ms: float, holds: bool, survived_ms: float) -> None:
    check = check_fix(fails_from(critical_ms), before_ms=20, required_ms=1000)
    assert check is not None
    assert (check.holds, check.survived_ms) == (holds, survived_ms)
    if critical_ms > 2000:
        assert check.critical_ms is None
        assert "beyond 2000 ms (the end of the ladder)" in check.sentence
    else:
        assert check.critical_ms is not None
        assert critical_ms <= check.critical_ms <= critical_ms * 1.25
        assert "from 20 ms to" in check.sentence


def test_a_useless_fix_keeps_its_critical_delay() -> None:
    check = check_fix(fails_from(20), before_ms=20, required_ms=1000)
    assert check is not None
    assert check.critical_ms is not None
    assert 20 <= check.critical_ms <= 30


def test_without_time_there_is_no_word_on_the_fix() -> None:
    assert check_fix(lambda *_: None, before_ms=20, required_ms=1000) is None


def record(
    index: int, argv: str, *, depth: int = 1, signals: tuple[float, ...] = (), ended: float = 9.0
) -> ProcessRecord:
    return ProcessRecord(
        index, index, 1, 1, 1, argv, "", False, 0, None, None, False, depth=depth, parent_index=1, ended_at_ms=ended,
        signals=tuple(("SIGTERM", moment, 1) for moment in signals),
    )  # fmt: skip


def test_the_counterpart_is_the_same_program_or_stands_at_the_same_place() -> None:
    flawed = record(3, "sleep 30", depth=2)
    moved = [record(1, "x", depth=0), record(2, "helper"), record(3, "bash"), record(4, "sleep 30", depth=2)]
    assert counterpart(flawed, moved) == moved[3]
    other = [record(1, "x", depth=0), record(2, "bash"), record(3, "sleep 31", depth=2)]
    assert counterpart(flawed, other) == other[2]
    assert counterpart(flawed, moved[:2]) is None


def report(*processes: ProcessRecord) -> TrialReport:
    return TrialReport(0, False, 0.2, processes, True)


def test_the_first_victim_is_the_first_of_those_signalled_together() -> None:
    runner, worker = record(1, "vitest", depth=0, signals=(1.0,)), record(2, "worker", signals=(190.0,))
    bash, sleep = record(3, "bash", signals=(101.0,)), record(4, "sleep", signals=(100.0,))
    assert first_victim(report(runner, worker, bash, sleep)) == 3
    assert first_victim(report(runner)) == 0
    assert first_victim(report(runner, record(2, "late", signals=(250.0,)))) == 0  # by the supervisor, at the end


def test_the_deadline_is_a_multiple_of_the_tail() -> None:
    quick = report(record(2, "sleep", signals=(100.0,), ended=104.0), record(3, "a", ended=150.0))
    assert time_to_death(quick) == [4.0]
    deadline = recommend([4.0] * 9 + [300.0], under="cpu:8")
    assert deadline is not None
    assert (deadline.recommended_s, deadline.p90_ms) == (2.0, 4.0)
    slow = recommend([10.0] * 5 + [400.0] * 5, under="cpu:8")
    assert slow is not None
    assert slow.recommended_s == 10.0 >= MULTIPLE * 0.4
    assert recommend([], under="cpu:8") is None


def test_variables_and_backends_become_arms(tmp_path: Path) -> None:
    command = plain_command(["true"], tmp_path)
    fixed = with_environment(command, ["WAIT=5", "A=b=c"])
    assert (fixed.env, fixed.shown) == ({"WAIT": "5", "A": "b=c"}, "WAIT=5 A=b=c true")
    flawed, fixes, baseline = backend_arms(command, ("process-group", "subreaper", "auto"))
    assert (baseline, flawed.env) == ("process-group", {"FLAKEHUNTER_GROUP_KILL": "process-group"})
    assert [(fix.name, fix.group_kill) for fix in fixes] == [("subreaper", "subreaper"), ("auto", "auto")]
    flawed, fixes, baseline = backend_arms(command, ("subreaper",))
    assert (flawed, baseline, fixes[0].command.env) == (command, "", {"FLAKEHUNTER_GROUP_KILL": "subreaper"})
    for names in (("subreaper", "subreaper"), ("no-such",)):
        with pytest.raises(UsageError):
            backend_arms(command, names)


def test_a_seed_holds_all_that_was_asked(tmp_path: Path) -> None:
    asked = {"test": None, "command": "a 'b c'", "fix": None, "fix_env": ["A=1", 'B="x"'], "group_kill": None}
    document = {"plan": {"text": "fails"}, "arms": [{"stressor": "cpu:8"}], "verdict": "reproduced"}
    write_bundle(tmp_path / "repro.toml", asked, document)
    found = read_bundle(tmp_path / "repro.toml")
    assert (found["command"], found["fix_env"], found["stress"]) == ("a 'b c'", ["A=1", 'B="x"'], "cpu:8")
    (tmp_path / "repro.toml").write_text('stress = "none"\ncommand = "a"\nfix_env = "A=1"')
    with pytest.raises(Exception, match="fix_env"):
        read_bundle(tmp_path / "repro.toml")


BY_BACKEND = """
import os, sys
sys.exit(os.environ["FLAKEHUNTER_GROUP_KILL"] == "process-group")
"""


def test_backends_are_compared_trial_by_trial(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["--stress", "none", "--json", "--max-rate", "0.3", "--parallel", "3", "--db", f"sqlite:///{tmp_path}/x.db"]
    backends = "process-group,subreaper,session"
    command = [sys.executable, "-S", "-c", BY_BACKEND]
    assert main(["repro", *words, "--group-kill", backends, "--", *command]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["verdict"] == ReproVerdict.FIX_VERIFIED
    assert [arm["group_kill"] for arm in document["arms"]] == backends.split(",")
    assert [(fix["name"], fix["verdict"]) for fix in document["fixes"]] == [
        ("subreaper", "fix-verified"),
        ("session", "fix-verified"),
    ]
    assert document["machine"]["cpus"] >= 1
    assert document["arms"][0]["plans"][0]["stressor"] == "none"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--fix-env", "WAIT"], "--fix-env 'WAIT' is no NAME=VALUE"),
        (["--fix-env", "A=1", "--fix", "true"], "--fix and --fix-env were given"),
        (["--group-kill", "subreaper,subreaper"], "a backend is named twice"),
        (["--group-kill", "no-such"], "no group-kill backend 'no-such'"),
        (["--survive", "0"], "must be more than 0"),
        (["--survive", "soon"], "--survive 'soon' is no time"),
        (["--parallel", "2", "--junit", "x.xml"], "--parallel and --junit were given"),
    ],
)
def test_what_cannot_be_meant_of_a_fix_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    url = f"sqlite:///{tmp_path}/x.db"
    assert main(["repro", "--db", url, "--stress", "none", *words, "--", "true"]) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert "hint:" in captured.err
