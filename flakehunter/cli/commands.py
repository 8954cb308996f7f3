"""The commands of `flakehunter`: their names and what they are for; each is imported when it is asked for.

Importing them all would take as long as typer itself, and `flakehunter --help` has to be there at once.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

from flakehunter.cli.defaults import name_variables
from flakehunter.cli.plain import PlainCommand, take_plain_values

# In the order of a user's work. The module is the command's name; so is the function in it, or its `app` has several.
COMMANDS: Mapping[str, str] = {
    "ingest": "Read JUnit XML files and logs into the database.",
    "fetch": "Download artifacts and logs of CI runs, and ingest them.",
    "detect": "Tell which tests are flaky, since when and why.",
    "quarantine": "Print the flaky tests in the form a test runner takes.",
    "scan": "Find in test source where a process is looked at too early.",
    "show": "Print everything known of one test.",
    "repro": "Make a test flake on demand, and check a fix.",
    "stressors": "List the stressors for repro, and which work here.",
    "report": "Write a static HTML site of what flakes and why.",
    "trace": "Tell from one run which looks at processes were too early.",
    "run": "Run a command and leave none of its processes behind.",
    "wait-gone": "Wait until processes are gone.",
    "backends": "List the group-kill backends, and which work here.",
    "db": "Look at the database and upgrade it.",
}


class CommandGroup(TyperGroup):
    """The group of all commands; `commands` holds those that were loaded."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of all commands, without importing one."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return the command of that name, or None."""
        if cmd_name in COMMANDS and cmd_name not in self.commands:
            self.commands[cmd_name] = _load(cmd_name)
            name_variables(cmd_name, self.commands[cmd_name])
        return self.commands.get(cmd_name)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command of `args`; for a wrong name load all of them, since the error names the nearest."""
        if args[:1] and args[0] not in COMMANDS:
            self.load_all()
        return super().resolve_command(ctx, args)

    def get_params(self, ctx: Any) -> Any:
        """Return the options that stand before the command's name."""
        return take_plain_values(super().get_params(ctx))

    def load_all(self) -> None:
        """Fill `commands`, in the order of COMMANDS."""
        self.commands = {name: self.get_command(None, name) for name in COMMANDS}

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the list of commands for `--help`."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _load(name: str) -> Any:
    """Import the command; a module says how typer has to build it in `COMMAND_SETTINGS`."""
    attribute = name.replace("-", "_")
    module = import_module(f"flakehunter.cli.{attribute}")
    if hasattr(module, "app"):
        return typer.main.get_group(module.app)
    single = typer.Typer(add_completion=False, rich_markup_mode=None)
    single.command(name, **{"cls": PlainCommand, **getattr(module, "COMMAND_SETTINGS", {})})(getattr(module, attribute))
    return typer.main.get_command(single)
