"""`flakehunter detect` as a user types it."""

import csv
import io
import json
from pathlib import Path

import jsonschema
import pytest

from flakehunter.cli.app import main
from tests.detect.builder import STILL_ALIVE, DatabaseBuilder

SARIF_SCHEMA = Path(__file__).resolve().parents[1] / "scan" / "sarif-2.1.0.schema.json"


@pytest.fixture
def database(tmp_path: Path) -> str:
    builder = DatabaseBuilder(tmp_path)
    builder.commits({"test_abort": "PP PF PP FP PP PP", "test_broken": "PP PP PP FF FF FF"}, failure=STILL_ALIVE)
    return builder.close()


def test_json_has_the_keys_of_the_machine_interface(database: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["detect", "--db", database, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema_version"] == 1
    first, second = document["tests"]
    assert {
        "id", "suite", "classname", "name", "verdict", "p_flaky", "flake_rate", "mechanism", "p_mechanism", "since",
        "evidence",
    } <= set(first)  # fmt: skip
    assert (first["id"], first["verdict"], first["mechanism"], first["since"]) == (
        "pytest::tests.test_it::test_abort",
        "flaky",
        "check-before-exit",
        "c001",
    )
    assert set(first["flake_rate"]) == {"value", "low", "high"}
    assert {"source", "text", "weight", "ref"} == set(first["evidence"][0])
    assert (second["verdict"], second["mechanism"], second["since"]) == ("broken", None, "c003")


def test_all_lists_healthy_tests_too(database: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["detect", "--db", database, "--json", "--all"]) == 0
    assert len(json.loads(capsys.readouterr().out)["tests"]) == 8


def test_table_says_what_why_and_how_much_was_seen(database: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["detect", "--db", database]) == 0
    printed = capsys.readouterr()
    header, first, *_ = printed.out.splitlines()
    assert header.split()[0] == "VERDICT"
    assert first.startswith("flaky > 99.9 %")
    assert first.endswith("check-before-exit 99.9 %  c001   pytest::tests.test_it::test_abort")
    assert "proof of a flake" in printed.out
    assert "1 flaky of 8 tests, from 12 runs at 6 commits; 6 healthy tests not shown (--all)" in printed.err


@pytest.mark.parametrize("format_", ["jsonl", "csv", "markdown"])
def test_other_forms(database: str, format_: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["detect", "--db", database, "--format", format_]) == 0
    out = capsys.readouterr().out
    if format_ == "jsonl":
        assert [json.loads(line)["verdict"] for line in out.splitlines()] == ["flaky", "broken"]
    elif format_ == "csv":
        rows = list(csv.DictReader(io.StringIO(out)))
        assert [(row["name"], row["mechanism"]) for row in rows] == [
            ("test_abort", "check-before-exit"),
            ("test_broken", ""),
        ]
    else:
        assert out.startswith("| Verdict | Flake rate |")
        assert out.count("\n") == 4


@pytest.mark.parametrize(
    ("arguments", "code"), [([], 0), (["--fail-on", "flaky"], 1), (["--fail-on", "broken"], 1)], ids=str
)
def test_fail_on_decides_the_exit_code(database: str, arguments: list[str], code: int) -> None:
    assert main(["detect", "--db", database, "--json", *arguments]) == code


def test_no_flaky_test_does_not_fail(tmp_path: Path) -> None:
    builder = DatabaseBuilder(tmp_path)
    builder.commits({"test_it": "PP PP FF FF FF PP PP"})
    assert main(["detect", "--db", builder.close(), "--fail-on", "any"]) == 0


def test_own_rules_are_used(database: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rules = tmp_path / "own.toml"
    rules.write_text(
        '[[rule]]\nid = "ours"\nmechanism = "survivor"\npattern = "right after the abort"\nweight = 0.99\n'
    )
    assert main(["detect", "--db", database, "--json", "--rules", str(rules)]) == 0
    assert "the text fits rule ours" in capsys.readouterr().out
    rules.write_text('rule = "x"\n')
    assert main(["detect", "--db", database, "--rules", str(rules)]) == 2
    assert "has no [[rule]] tables" in capsys.readouterr().err


def test_no_database_is_exit_4(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["detect", "--db", str(tmp_path / "none.db")]) == 4
    error = capsys.readouterr().err
    assert "there is no database" in error
    assert "hint: run flakehunter ingest PATH first" in error


def test_empty_database_is_exit_4(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = DatabaseBuilder(tmp_path).close()
    assert main(["detect", "--db", url, "--json"]) == 4
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "holds no results" in printed.err


def test_unknown_project_is_exit_2(database: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["detect", "--db", database, "--project", "mine"]) == 2
    assert "hint: one of: default" in capsys.readouterr().err


def test_sarif_fits_the_schema_and_names_the_cause(database: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["detect", "--db", database, "--format", "sarif"]) == 0
    log = json.loads(capsys.readouterr().out)
    jsonschema.Draft4Validator(json.loads(SARIF_SCHEMA.read_text(encoding="utf-8"))).validate(log)
    [result] = log["runs"][0]["results"]
    assert result["ruleId"] == "check-before-exit"
    assert log["runs"][0]["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
    assert result["partialFingerprints"]["flakehunterTest/v1"]


def test_github_annotates_and_writes_the_summary(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    summary = tmp_path / "summary.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    assert main(["detect", "--db", database, "--format", "github"]) == 0
    [line] = capsys.readouterr().out.splitlines()
    assert line.startswith("::warning title=Flaky test%3A test_abort")
    assert "is flaky by check-before-exit" in line
    assert "17 %25" in line
    assert summary.read_text(encoding="utf-8").startswith("## Flaky tests\n\n| Verdict |")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path))
    assert main(["detect", "--db", database, "--format", "github"]) == 2
    assert "cannot write the job summary" in capsys.readouterr().err
