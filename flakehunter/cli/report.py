"""`flakehunter report`: a static HTML site of what flakes, why, and what it costs."""

import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flakehunter import console
from flakehunter.cli.options import DbOption, ProjectOption
from flakehunter.clock import as_utc, utc_now
from flakehunter.config import database_url
from flakehunter.errors import UsageError

if TYPE_CHECKING:
    from flakehunter.report.owners import Owners
    from flakehunter.report.site import Report

DEFAULT_OUTPUT = Path("flakehunter-report")


def report(
    context: typer.Context,
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
    since: Annotated[
        str | None,
        typer.Option(
            "--since",
            metavar="DAY",
            help="Only runs from then on: 2026-11-02, or 30d or 8w back.",
            show_default=False,
        ),
    ] = None,
    branch: Annotated[
        str | None, typer.Option("--branch", metavar="NAME", help="Only runs of this branch.", show_default=False)
    ] = None,
    owner: Annotated[
        str | None, typer.Option("--owner", metavar="NAME", help="Only tests of this owner.", show_default=False)
    ] = None,
    codeowners: Annotated[
        Path | None,
        typer.Option(
            "--codeowners",
            metavar="FILE",
            help="Who owns which file; default: CODEOWNERS, or the one in .github, .gitlab or docs.",
            show_default=False,
        ),
    ] = None,
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
    from flakehunter.report.views import Scope

    _check_templates(templates)
    scope = Scope(since=day_of(since) if since else None, branch=branch or "", owner=owner or "")
    owners = _owners(codeowners, context.obj.root)
    url = database_url(db)
    engine = open_database(url)
    try:
        if detect and not verdicts_are_current(engine, project):
            _judge(url, project)
        done = write_report(engine, output, project=project, scope=scope, owners=owners, templates=templates)
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


def _owners(codeowners: Path | None, root: Path) -> "Owners | None":
    from flakehunter.report.owners import find_owners, read_owners

    path = codeowners or find_owners(root)
    return read_owners(path) if path is not None else None


def day_of(text: str) -> datetime:
    """Return the moment that `--since` means: a day in UTC, or so many days or weeks before now.

    Raises:
        UsageError: it is neither.
    """
    back = re.fullmatch(r"(\d{1,5})([dw])", text)
    if back:
        return utc_now() - timedelta(days=int(back[1]) * (7 if back[2] == "w" else 1))
    try:
        return as_utc(datetime.fromisoformat(text))
    except ValueError as error:
        raise UsageError(f"--since {text!r} is no day", hint="write 2026-11-02, or 30d or 8w back") from error


def _check_templates(templates: Path | None) -> None:
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
