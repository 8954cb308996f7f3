"""`flakehunter repro` and `flakehunter stressors` from the command line to the database."""

import json
import sys
from pathlib import Path

import pytest
from sqlalchemy import insert, select

from flakehunter.cli.app import main
from flakehunter.db.engine import open_database
from flakehunter.db.queries.experiments import processes_of, trials_of
from flakehunter.db.schema import Experiment, Project, TestCase
from flakehunter.model import ReproVerdict, TestIdentity, TrialOutcome

EVERY_OTHER = "n=$(cat n 2>/dev/null || echo 0); echo $((n+1)) >n; exit $((n%2))"


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    return f"sqlite:///{tmp_path / 'repro.db'}"


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(["repro", *words])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_a_command_with_its_fix_ends_verified_and_stored(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--db", url, "--stress", "none", "--max-rate", "0.3", "--json", "--fix", "true"]
    code, out, err = run(capsys, *words, "--", "bash", "-c", EVERY_OTHER + " # sleep 300 &")
    document = json.loads(out)
    assert (code, document["verdict"]) == (0, "fix-verified"), err
    flawed, fixed = document["arms"]
    assert {"name", "stressor", "group_kill", "trials", "failures", "errors", "hangs", "rate"} <= set(flawed)
    assert set(flawed["rate"]) == {"value", "low", "high"}
    assert flawed["failures"] >= 3
    assert (fixed["failures"], fixed["rate"]["high"] <= 0.3) == (0, True)
    assert document["exact_test"]["p_value"] <= 0.01
    assert {"verdict", "mechanism", "plan", "replay", "arms", "schema_version"} <= set(document)
    engine = open_database(url)
    with engine.connect() as connection:
        (row,) = connection.execute(select(Experiment.id, Experiment.verdict, Experiment.summary, Experiment.machine))
        assert (row.verdict, row.summary) == (ReproVerdict.FIX_VERIFIED, document)
        assert row.machine["cpus"] >= 1
        trials = trials_of(connection, row.id)
        assert len(trials) == flawed["trials"] + fixed["trials"]
        assert sum(trial.outcome is TrialOutcome.FAILED for _, trial in trials) == flawed["failures"]
        processes = processes_of(connection, trials[0][0])
        assert processes[0].argv.startswith("bash -c")
        assert (processes[0].exit_status, processes[0].survived) == (trials[0][1].exit_code, False)
    engine.dispose()


def test_a_stored_test_runs_through_its_runner(url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "flakehunter.toml").write_text('[runners.mine]\ncommand = "bash {file} {name} {junit}"\n')
    (tmp_path / "t.sh").write_text(
        "n=$(cat n 2>/dev/null || echo 0); echo $((n+1)) >n; [ $((n%2)) = 1 ] && f=\"<failure message='no'/>\"\n"
        "echo \"<testsuite><testcase name='$1'>$f</testcase></testsuite>\" >$2\n"
    )
    identity = TestIdentity("default", "t.sh", "t.sh", "odd")
    engine = open_database(url, create=True)
    with engine.begin() as connection:
        connection.execute(insert(Project).values(id=1, name="default"))
        connection.execute(
            insert(TestCase).values(
                id=7,
                project_id=1,
                key=identity.key,
                suite="t.sh",
                classname="t.sh",
                name="odd",
                framework="mine",
                file="t.sh",
            )
        )
    code, out, _ = run(capsys, "odd", "--db", url, "--stress", "none", "-C", str(tmp_path), "--fail-on", "reproduced")
    assert code == 1
    assert out.startswith("reproduced: 2 of 4 ")
    assert "flawed, 2 x: no" in out
    with engine.connect() as connection:
        assert connection.scalar(select(Experiment.test_case_id)) == 7
    engine.dispose()
    code, _, err = run(capsys, "ood", "--db", url)
    assert code == 2
    assert "did you mean" in err
    assert "odd" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--", "no-such-program"], "command not found: no-such-program"),
        (["--stress", "cp:8", "--", "true"], "no stressor is called 'cp'"),
        (["--fail-on", "maybe", "--", "true"], "'maybe' is no verdict"),
        (["--budget", "soon", "--", "true"], "--budget 'soon' is no time"),
        (["--fix", "true", "--fix-rev", "HEAD", "--", "true"], "--fix and --fix-rev were given"),
        (["--fix-test", "x", "--", "true"], "--fix-test needs a test"),
        (["--fix-rev", "no-such-rev", "--", "true"], "git in "),
        (["-C", "nowhere", "--", "true"], "there is no folder"),
        (["--max-rate", "5", "--", "true"], "--max-rate 5 is not between"),
        ([], "neither a test nor a command"),
        (["test_x", "--", "true"], "a test and a command were given"),
        (
            [
                "--",
            ],
            "neither a test nor a command",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_meant_is_one_line_and_a_hint(
    url: str, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    code, out, err = run(capsys, "--db", url, *words)
    assert (code, out) == (2, "")
    assert said in err
    assert "hint:" in err
    assert "Traceback" not in err


def test_a_test_without_a_database_has_nothing_to_work_on(
    url: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code, _, err = run(capsys, "test_x", "--db", url)
    assert code == 4
    assert "ingest" in err
    assert not (tmp_path / "repro.db").exists()


def test_a_database_that_cannot_be_written_is_told(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    code, _, err = run(capsys, "--db", str(tmp_path / "file" / "x.db"), "--", "true")
    assert code == 5
    assert "Traceback" not in err


def test_a_command_that_only_errs_is_undecided_with_its_output(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(
        capsys, "--db", url, "--stress", "none", "--junit", "no.xml", "--", "bash", "-c", "echo broken here"
    )
    assert code == 0
    assert out.startswith("undecided: ")
    assert "no JUnit file" in out
    assert "broken here" in out


def test_a_spent_budget_leaves_it_undecided(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "--db", url, "--stress", "none", "--budget", "50ms", "--", "sleep", "0.06")
    assert out.startswith("undecided: ")
    assert "budget" in out
    assert "hang" not in out


def test_stressors_are_listed_with_what_works_here(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stressors", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)["stressors"]}
    assert {"none", "cpu", "reap-delay"} <= set(rows)
    assert rows["cpu"]["usable"] is True
    assert main(["stressors"]) == 0
    assert "cpu:N" in capsys.readouterr().out


SLACK_OF_100_MS = """
import os, signal, subprocess, sys, time
child = subprocess.Popen(["bash", "-c", "sleep 300 & wait"], process_group=0)
while not (below := open(f"/proc/{child.pid}/task/{child.pid}/children").read().split()): pass
while not os.readlink(f"/proc/{below[0]}/exe").endswith("sleep"): pass
os.killpg(child.pid, signal.SIGTERM)
child.wait()
time.sleep(float(os.environ.get("PAUSE", "0.1")))
sys.exit(os.path.exists(f"/proc/{below[0]}"))
"""


def test_the_search_names_process_event_and_delay_and_the_seed_replays_it(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [sys.executable, "-S", "-c", SLACK_OF_100_MS]
    code, out, err = run(
        capsys,
        "--db",
        url,
        "--json",
        "--save",
        "repro.toml",
        "--fix-env",
        "PAUSE=0.3",
        "--survive",
        "600ms",
        "--",
        *command,
    )
    document = json.loads(out)
    assert (code, document["verdict"]) == (0, "fix-insufficient"), err
    (fix,) = document["fixes"]
    assert fix["critical_delay"]["holds"] is False
    assert 250 <= fix["critical_delay"]["critical_ms"] <= 600
    assert document["deadline"]["recommended_s"] >= 2
    assert document["tracer"]["usable"]
    plan = document["plan"]
    assert (plan["process"], plan["event"], plan["argv"]) == (3, "exit", "sleep 300")
    assert 80 <= plan["critical_delay_ms"] <= 250  # 100, to a fifth, and what a busy machine looks late
    assert document["mechanism"] == "fixed-sleep"
    assert "process 3 (`sleep 300`, grandchild of the test) ends" in plan["text"]
    arms = {arm["name"]: arm for arm in document["arms"]}
    assert arms["control"]["trials"] >= 4
    assert arms["flawed"]["failures"] >= 2
    assert document["replay"] == "repro.toml"
    engine = open_database(url)
    with engine.connect() as connection:
        of = {row.stressor: trial for trial, row in trials_of(connection, 1)}
        sleep = processes_of(connection, of["control"])[2]
        plain = processes_of(connection, of["none"])
    engine.dispose()
    assert sleep.timeline is not None
    assert (sleep.timeline["depth"], sleep.timeline["signals"][0][0]) == (2, "SIGTERM")
    assert sleep.timeline["spawned_at_ms"] <= sleep.timeline["exec_at_ms"] <= sleep.timeline["ended_at_ms"]
    assert plain[0].timeline is None
    code, out, _ = run(capsys, "--db", url, "--replay", "repro.toml", "--budget", "1ms", "--json")
    document = json.loads(out)
    assert [arm["stressor"] for arm in document["arms"]] == [plan["stressor"]] * 2
    assert document["arms"][1]["command"].startswith("PAUSE=0.3 ")


@pytest.mark.parametrize("text", ["", "stress = 1", "= broken", 'stress = "none"\ntest = "a"\ncommand = "b"'])
def test_a_broken_seed_is_refused(url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str) -> None:
    (tmp_path / "repro.toml").write_text(text)
    code, _, err = run(capsys, "--db", url, "--replay", "repro.toml")
    assert code == 2
    assert "repro.toml" in err
    assert "hint:" in err
