"""`flakehunter quarantine`: lists of flaky tests for test runners to leave out."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from flakehunter import console
from flakehunter.cli.options import DbOption, ProjectOption
from flakehunter.config import database_url


class For(StrEnum):
    """Test runners, and JSON for everything else."""

    PYTEST = "pytest"
    JEST = "jest"
    VITEST = "vitest"
    GO = "go"
    JUNIT5 = "junit5"
    NEXTEST = "nextest"
    RSPEC = "rspec"
    JSON = "json"


def quarantine(
    runner: Annotated[For, typer.Option("--for", help="The runner that reads the list.")],
    days: Annotated[int, typer.Option(min=1, help="How long a test may stay in quarantine.")] = 14,
    keep: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="JSON file that remembers since when each test is in quarantine; else all start today.",
            show_default=False,
        ),
    ] = None,
    codeowners: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="CODEOWNERS file; default: where GitHub and GitLab look.", show_default=False
        ),
    ] = None,
    project: ProjectOption = None,
    db: DbOption = None,
) -> None:
    """Print the flaky tests in the form that a test runner takes to leave them out, until their time is over."""
    from flakehunter.detect.quarantine import FORMS, as_json, notes, quarantine_project

    entries = quarantine_project(
        database_url(db), project=project, days=days, keep=keep, codeowners=codeowners, framework=runner.value
    )
    text = as_json(entries) if runner is For.JSON else FORMS[runner.value](entries.tests)
    if text:
        console.write(text)
    for line in notes(entries):
        console.say(line)
