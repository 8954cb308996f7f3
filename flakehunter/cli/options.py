"""Options that several commands share."""

from typing import Annotated, Any

import typer

from flakehunter.cli.plain import PlainCommand

DbOption = Annotated[
    str | None,
    typer.Option(
        "--db",
        metavar="URL",
        envvar="FLAKEHUNTER_DB",
        help="Database: a path, sqlite:///PATH or postgresql://USER@HOST/NAME. Default: .flakehunter/flakehunter.db.",
        show_default=False,
    ),
]
ProjectOption = Annotated[
    str | None,
    typer.Option(
        "--project",
        envvar="FLAKEHUNTER_PROJECT",
        help="Project in the database; default: 'default'.",
        show_default=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Short for --format json.")]

SchedulerOption = Annotated[
    str | None,
    typer.Option(
        "--scheduler",
        metavar="ADDRESS",
        envvar="FLAKEHUNTER_SCHEDULER",
        help="Have the workers of a dask scheduler do it, such as tcp://host:8786; needs the extra dask.",
        show_default=False,
    ),
]

_AFTER_DASHES = "flakehunter.command"


class TestOrCommand(PlainCommand):
    """A command that takes `TEST` or `-- CMD...`: what stands after the first `--` is kept apart, options and all."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse what stands before the first `--`."""
        if "--" in args:
            place = args.index("--")
            ctx.meta[_AFTER_DASHES] = args[place + 1 :]
            args = args[:place]
        return list(super().parse_args(ctx, args))

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Show both forms in the usage line."""
        return ["[OPTIONS]", "[TEST | -- CMD...]"]


def command_after_dashes(context: typer.Context) -> tuple[str, ...]:
    """Return the words after `--` of a TestOrCommand; empty without them."""
    return tuple(context.meta.get(_AFTER_DASHES, ()))
