"""The recorded history of the sample project: every flawed test is found with its mechanism, and nothing else."""

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import pytest

from flakehunter.cli.app import main

# About ten seconds on a machine of its own; the ingest of 504 files takes most of it.
pytestmark = pytest.mark.timeout(400)

SAMPLE = Path(__file__).resolve().parents[2] / "sample_data"


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Ingest the whole recorded history with the command of the README."""
    database = str(tmp_path_factory.mktemp("sample") / "sample.db")
    layout = "{commit}/{run_id}-{attempt}/{job}/**"
    assert main(["ingest", str(SAMPLE / "runs"), "--layout", layout, "--db", database]) == 0
    return database


@pytest.fixture(scope="module")
def verdicts(database: str) -> dict[tuple[str, str], dict[str, Any]]:
    """Return what `detect --json --all` says, by class name and name."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        assert main(["detect", "--json", "--all", "--db", database]) == 0
    tests = json.loads(out.getvalue())["tests"]
    return {(test["classname"], test["name"]): test for test in tests}


def truth(*kinds: str) -> list[dict[str, Any]]:
    document = json.loads((SAMPLE / "truth.json").read_text(encoding="utf-8"))
    return [test for test in document["tests"] if test["kind"] in kinds]


def test_every_flawed_test_is_flaky_by_its_mechanism(verdicts: dict[tuple[str, str], dict[str, Any]]) -> None:
    expected = {(test["classname"], test["name"]): ("flaky", test["mechanism"]) for test in truth("flawed")}
    assert expected
    found = {key: (verdicts[key]["verdict"], verdicts[key]["mechanism"]) for key in expected}
    assert found == expected


def test_nothing_else_is_flaky(verdicts: dict[tuple[str, str], dict[str, Any]]) -> None:
    flawed = {(test["classname"], test["name"]) for test in truth("flawed")}
    assert [test["id"] for key, test in verdicts.items() if test["verdict"] == "flaky" and key not in flawed] == []


def test_mended_regression_is_seen_as_one(verdicts: dict[tuple[str, str], dict[str, Any]]) -> None:
    regressed = truth("regressed")
    assert regressed
    for test in regressed:
        found = verdicts[(test["classname"], test["name"])]
        assert found["failed"] > 0
        assert found["verdict"] == "healthy"
        assert found["mechanism"] is None


def test_evidence_of_flawed_tests_is_proof_in_words(verdicts: dict[tuple[str, str], dict[str, Any]]) -> None:
    for test in truth("flawed"):
        evidence = verdicts[(test["classname"], test["name"])]["evidence"]
        assert any(item["source"] == "history" and "proof of a flake" in item["text"] for item in evidence)
        assert any(item["source"] == "text" and test["mechanism"] in item["text"] for item in evidence)
        assert all(item["ref"] for item in evidence if item["source"] == "history")


def test_show_gives_the_history_of_a_flawed_test(database: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "test_abort_ends_the_grandchild", "--db", database]) == 0
    out = capsys.readouterr().out
    assert "cause      check-before-exit" in out
    assert "still alive right after the abort" in out
