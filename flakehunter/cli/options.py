"""Options that several commands share."""

from typing import Annotated

import typer

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
