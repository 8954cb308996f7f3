"""`flakehunter show`: everything known of one test."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from flakehunter import console
from flakehunter.cli.options import DbOption, JsonOption, ProjectOption
from flakehunter.config import database_url


class Format(StrEnum):
    """Forms of the output."""

    TEXT = "text"
    JSON = "json"


def show(
    test: Annotated[
        str,
        typer.Argument(metavar="TEST", help="Id, key, pytest node id, name, or a part of the id that only one has."),
    ],
    format_: Annotated[Format, typer.Option("--format", help="Form of the output.")] = Format.TEXT,
    json: JsonOption = False,
    project: ProjectOption = None,
    outage_share: Annotated[
        float,
        typer.Option(min=0.0, max=1.0, help="A run in which more than this share of the results fail is an outage."),
    ] = 0.8,
    rules: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE", help="Text rules of your own, a TOML file with [[rule]] tables.", show_default=False
        ),
    ] = None,
    db: DbOption = None,
) -> None:
    """Print everything known of one test: verdict, history, failures, log lines, evidence, experiments."""
    from flakehunter.detect.rulebook import read_rules
    from flakehunter.detect.show import describe
    from flakehunter.detect.show_output import as_json, as_text

    own = read_rules(rules or [])
    description = describe(database_url(db), test, project=project, rules=own, outage_share=outage_share)
    console.write(as_json(description) if json or format_ is Format.JSON else as_text(description))
