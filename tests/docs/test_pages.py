"""What single pages say holds: errors, figures, frames, services, inputs of the action, completion."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest
import yaml

from flakehunter.exitcodes import ExitCode
from flakehunter.ingest import ci
from flakehunter.report.frames import FRAMES
from flakehunter.stats.intervals import clopper_pearson, jeffreys

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


@cache
def texts_of_the_program() -> frozenset[str]:
    """Return every text in the source, with `…` where a value is filled in."""
    return frozenset(
        text for path in (ROOT / "flakehunter").rglob("*.py") for text in _texts(ast.parse(path.read_text()))
    )


def _texts(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)


ERRORS = re.findall(r"(?m)^### `(.+)`$", page("faq.md"))
HINTS = re.findall(r"(?m)^> hint: (.+)$", page("faq.md"))


@pytest.mark.parametrize("message", ERRORS)
def test_error_of_the_page_is_one_of_the_program(message: str) -> None:
    assert message in texts_of_the_program()


@pytest.mark.parametrize("hint", HINTS)
def test_hint_of_the_page_is_one_of_the_program(hint: str) -> None:
    assert hint in texts_of_the_program()


def test_errors_of_every_exit_code_are_on_the_page() -> None:
    shown = {int(code) for code in re.findall(r"(?m)^## .*\((\d+)\)$", page("faq.md"))}
    assert {ExitCode.USAGE, ExitCode.REJECTED, ExitCode.NOTHING, ExitCode.DATABASE} <= shown
    assert len(ERRORS) >= 25


def test_figures_of_the_statistics_page_are_those_of_the_program() -> None:
    rows = re.findall(r"(?m)^\| ([\d ]+) \| ([\d.]+) % \|$", page("statistics.md"))
    assert len(rows) == 6
    for runs, percent in rows:
        assert f"{clopper_pearson(0, int(runs.replace(' ', ''))).high * 100:.2g}" == f"{float(percent):.2g}"
    held = jeffreys(12, 40)
    assert f"{held.low:.0%} to {held.high:.0%}".replace("%", " %") in page("statistics.md")


def test_every_frame_is_documented() -> None:
    assert tuple(re.findall(r"(?m)^\| `(\w+)` \|", page("python.md"))) == FRAMES


def test_every_service_is_documented() -> None:
    folder = Path(ci.__file__).parent
    names = {import_module(f"flakehunter.ingest.ci.{path.stem}").NAME for path in folder.glob("[a-z]*.py")}
    text = (page("ci/index.md") + page("ci/other.md")).lower()
    assert {name for name in names if name not in text} == set()


def test_inputs_of_the_action_are_documented() -> None:
    action = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    shown = dict(re.findall(r"(?m)^\| `([\w-]+)` \| .* \| (.*?) ?\|$", page("ci/github.md")))
    assert set(shown) == set(action["inputs"])
    for name, about in action["inputs"].items():
        assert about.get("default") in (None, "") or f"`{about['default']}`" == shown[name]
    assert all(f"`{name}`" in page("ci/github.md") for name in action["outputs"])


@pytest.mark.parametrize("path", sorted((DOCS / "ci").glob("*.md")), ids=lambda path: path.stem)
def test_yaml_of_the_ci_pages_is_yaml(path: Path) -> None:
    for block in re.findall(r"(?ms)^```yaml\n(.*?)^```", path.read_text(encoding="utf-8")):
        assert isinstance(yaml.safe_load(block), dict)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_of_the_page_gives_commands_and_values(shell: str, tmp_path: Path) -> None:
    assert f"_FLAKEHUNTER_COMPLETE=source_{shell} flakehunter" in page("completion.md")
    env = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": str(tmp_path)}
    script = complete(shell, {**env, "_FLAKEHUNTER_COMPLETE": f"source_{shell}"})
    assert "flakehunter" in script
    assert "_FLAKEHUNTER_COMPLETE=complete_" in script
    asked = {**env, "_FLAKEHUNTER_COMPLETE": f"complete_{shell}"}
    command = {"COMP_WORDS": "flakehunter re", "COMP_CWORD": "1", "_TYPER_COMPLETE_ARGS": "flakehunter re",
               "_TYPER_COMPLETE_FISH_ACTION": "get-args", "_TYPER_COMPLETE_WORD_TO_COMPLETE": "re"}  # fmt: skip
    found = complete(shell, asked | command)
    assert "report" in found
    assert "repro" in found
    assert "ingest" not in found
    words = "flakehunter report --format m"
    value = {"COMP_WORDS": words, "COMP_CWORD": "3", "_TYPER_COMPLETE_ARGS": words,
             "_TYPER_COMPLETE_FISH_ACTION": "get-args", "_TYPER_COMPLETE_WORD_TO_COMPLETE": "m"}  # fmt: skip
    assert "markdown" in complete(shell, asked | value)


def complete(shell: str, env: dict[str, str]) -> str:
    return subprocess.run(["flakehunter"], env=env, capture_output=True, text=True, check=False).stdout


def test_site_builds_without_a_warning_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")]
    env = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    pages = list((tmp_path / "site").rglob("*.html"))
    assert len(pages) > len(list(DOCS.rglob("*.md")))
    for built in pages:
        loaded = re.findall(r"<(?:script|link|img|iframe)\b[^>]*?(?:src|href)=\"?([^\s\">]+)", built.read_text("utf-8"))
        assert [url for url in loaded if re.match(r"(?:https?:)?//", url)] == [], built.name
