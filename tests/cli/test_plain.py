"""What a command imports before it works: no library that converts values or talks to a database."""

import subprocess
import sys
from pathlib import Path

import pytest

from flakehunter.cli.app import main

HEAVY = ("pydantic", "sqlalchemy", "scipy", "numpy")


def imported(words: list[str], folder: Path) -> set[str]:
    """Return the modules that a command has imported."""
    code = f"import sys; from flakehunter.cli.app import main; main({words!r}); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("words", [["--help"], ["repro", "--fail-on", "maybe", "--", "true"], ["stressors"]])
def test_values_that_need_no_conversion_cost_no_library(words: list[str], tmp_path: Path) -> None:
    assert not set(HEAVY) & imported(words, tmp_path)


def test_words_of_a_choice_cost_no_library(tmp_path: Path) -> None:
    assert "pydantic" not in imported(["detect", "--format", "jsonl", "--fail-on", "any"], tmp_path)


def test_paths_cost_no_library_that_converts(tmp_path: Path) -> None:
    (tmp_path / "junit.xml").write_text('<testsuite name="pytest"><testcase classname="a" name="t"/></testsuite>')

    loaded = imported(["-q", "ingest", "junit.xml", "junit.xml", "--redact", "x+"], tmp_path)

    assert "sqlalchemy" in loaded
    assert "pydantic" not in loaded


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--parallel", "x"], "'--parallel'"),
        (["--parallel", "65"], "64"),
        (["--format", "jsn"], "'jsn' is not one of 'table', 'json'"),
        (["--max-rate", "much"], "'--max-rate'"),
        (["--fix-env"], "'--fix-env' requires an argument"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_values_that_need_conversion_are_converted(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["repro", *words]) == 2
    assert said in capsys.readouterr().err
