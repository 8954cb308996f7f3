"""The documentation says what the program does: every command, option, setting, mechanism and exit code."""

import importlib.util
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

from flakehunter.cli.app import app
from flakehunter.config import DEFAULT_RUNNERS
from flakehunter.exitcodes import ExitCode
from flakehunter.model import Mechanism

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), ROOT / "README.md"])


def generate() -> Any:
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GENERATED = generate().pages()


@pytest.mark.parametrize("page", GENERATED)
def test_generated_page_is_what_the_program_says(page: str) -> None:
    assert (DOCS / page).read_text(encoding="utf-8") == GENERATED[page], "run `make docs`"


@pytest.mark.parametrize("code", ExitCode, ids=lambda code: code.name)
def test_every_exit_code_is_documented(code: ExitCode) -> None:
    assert f"| {code.value} | `{code.name}` |" in (DOCS / "exit-codes.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("mechanism", Mechanism)
def test_every_mechanism_is_explained(mechanism: Mechanism) -> None:
    assert f"\n## {mechanism}\n" in (DOCS / "mechanisms.md").read_text(encoding="utf-8")
    assert (DOCS / f"mechanisms/{mechanism}.md").is_file()


def test_every_placeholder_of_a_runner_is_documented() -> None:
    text = (DOCS / "configuration.md").read_text(encoding="utf-8")
    used = {name for runner in DEFAULT_RUNNERS.values() for name in re.findall(r"\{(\w+)\}", runner.command)}
    assert used <= set(re.findall(r"\| `\{(\w+)\}` \|", text))


def typed_commands() -> list[tuple[str, list[str]]]:
    """Return the flakehunter command lines in the code blocks of all pages."""
    found = []
    for page in PAGES:
        for block in re.findall(
            r"(?ms)^```(?:console|sh|bash|yaml)?\n(.*?)^```|^((?: {4}.*\n)+)", page.read_text("utf-8")
        ):
            for line in "".join(block).replace("\\\n", " ").splitlines():
                typed = re.match(r"\s*(?:\$ |- (?:run: )?|run: )?(flakehunter .*)", line)
                if typed and "[OPTIONS]" not in line and "…" not in line:
                    found.append((page.relative_to(ROOT).as_posix(), shlex.split(typed[1], comments=True)))
    return found


@pytest.mark.parametrize(
    ("page", "words"), typed_commands(), ids=lambda value: value if isinstance(value, str) else " ".join(value)[:60]
)
def test_commands_in_the_pages_exist(page: str, words: list[str]) -> None:
    command: Any = typer.main.get_command(app)
    command.load_all()
    words = words[1 : words.index("--") if "--" in words else None]
    options = set()
    for word in words:
        options |= {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
        if word in getattr(command, "commands", {}):
            command = command.commands[word]
    options |= {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    assert not hasattr(command, "commands") or {"--version", "--help", "--install-completion"} & set(words), (
        f"{page}: no such command"
    )
    flags = {word.split("=")[0] for word in words if re.match(r"--?[a-z]", word)} - {"--help", "-h"}
    assert flags <= options


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_between_pages_resolve(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"
