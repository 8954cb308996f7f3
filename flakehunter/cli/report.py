"""`flakehunter report`: a static HTML site of what flakes, why, and what it costs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flakehunter import console
from flakehunter.cli.options import DbOption, ProjectOption
from flakehunter.config import database_url

if TYPE_CHECKING:
    from flakehunter.report.site import Report

DEFAULT_OUTPUT = Path("flakehunter-report")


def report(
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="DIR", help="Folder of the site; it is made where missing.")
    ] = DEFAULT_OUTPUT,
    project: ProjectOption = None,
    db: DbOption = None,
    detect: Annotated[
        bool,
        typer.Option(
            "--detect/--no-detect", help="Judge the tests first where something came after the last verdicts."
        ),
    ] = True,
    templates: Annotated[
        Path | None,
        typer.Option(
            "--templates",
            metavar="DIR",
            help="Folder with templates or a style.css of your own, which go before the built-in ones.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Write a static HTML site of what flakes, why, since when and what it costs; print the path of its first page.

    The pages need no network and no JavaScript. Tests are judged first where results came after the last
    `flakehunter detect`. Only files that an earlier report wrote are ever overwritten.
    """
    from flakehunter.db.engine import open_database
    from flakehunter.report.site import verdicts_are_current, write_report

    _check_templates(templates)
    url = database_url(db)
    engine = open_database(url)
    try:
        if detect and not verdicts_are_current(engine, project):
            _judge(url, project)
        done = write_report(engine, output, project=project, templates=templates)
    finally:
        engine.dispose()
    if done.overview.warning:
        console.warn(done.overview.warning)
    console.say(summary(done))
    console.write(str(done.written.index))


def _judge(url: str, project: str | None) -> None:
    from flakehunter.detect.assess import detect

    console.say("judging the tests first: there is evidence that the last verdicts do not know")
    detect(url, project=project)


def _check_templates(templates: Path | None) -> None:
    from flakehunter.errors import UsageError

    if templates is not None and not templates.is_dir():
        raise UsageError(f"there is no template folder {templates}", hint="give a folder with --templates")


def summary(done: "Report") -> str:
    """Return what was written and what it says, in two lines at most."""
    overview, written = done.overview, done.written
    left = f"; {written.foreign} other files there were left alone" if written.foreign else ""
    gone = f", {written.removed} old ones removed" if written.removed else ""
    flaky = len(overview.flaky)
    return (
        f"{flaky} flaky {'test' if flaky == 1 else 'tests'} of {overview.tests}, "
        f"{overview.cost.lost} of {overview.cost.jobs} jobs lost to flakes alone\n"
        f"wrote {written.files} pages, {written.bytes / 1e6:.1f} MB{gone}{left}"
    )
