"""Write docs/cli.md from the commands themselves; a test fails when the file is not what this writes."""

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from flakehunter.cli.app import app

HEAD = """# Command line

Generated from the commands by `make docs`: change the command, not this page.

Data goes to stdout, everything else to stderr. Every option can also be set by the environment variable
`FLAKEHUNTER_<COMMAND>_<OPTION>` (a short name where one is given below) and in
[`[tool.flakehunter]`](configuration.md). [Exit codes](exit-codes.md) are the same for all commands.
"""


def reference() -> str:
    """Return the text of docs/cli.md."""
    root: Any = typer.main.get_command(app)
    root.load_all()
    parts = [HEAD, *_options(root, [])]
    for path, command in _commands(root, []):
        parts.append(f"\n## flakehunter {' '.join(path)}\n")
        arguments = [p for p in command.params if p.param_type_name == "argument"]
        usage = " ".join(_shown(a) for a in arguments)
        parts.append(f"    flakehunter {' '.join(path)} [OPTIONS] {usage}".rstrip() + "\n")
        if command.help:
            parts.append(inspect.cleandoc(command.help).split("\f")[0].strip() + "\n")
        parts.extend(f"- `{_shown(a)}`: {a.help}" for a in arguments if getattr(a, "help", None))
        parts.extend(_options(command, path))
    return "\n".join(parts) + "\n"


def _shown(argument: Any) -> str:
    return str(argument.metavar or argument.name.upper())


def _commands(group: Any, path: list[str]) -> Iterator[tuple[list[str], Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, [*path, name])
        else:
            yield [*path, name], command


def _options(command: Any, path: list[str]) -> list[str]:
    options = [p for p in command.params if p.param_type_name == "option" and not p.hidden]
    if not options:
        return []
    rows = ["", "| option | variable | what it does |", "|---|---|---|"]
    for option in options:
        names = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
        variable = option.envvar
        shown = f"`{variable}`" if path else ""
        text = (option.help or "").replace("|", "\\|")
        default = option.default
        if option.show_default is not False and isinstance(default, (str, int, float)) and default not in ("", False):
            text += f" Default: `{default}`."
        rows.append(f"| {names} | {shown} | {text} |")
    return rows


if __name__ == "__main__":
    (Path(__file__).parent / "cli.md").write_text(reference(), encoding="utf-8")
