"""`flakehunter scan`: find the lines in test source that signal a process and look too early."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flakehunter import console
from flakehunter.cli.options import DbOption, JsonOption, ProjectOption, SchedulerOption
from flakehunter.exitcodes import ExitCode
from flakehunter.model import Mechanism

if TYPE_CHECKING:
    from flakehunter.scan.findings import Report


class Format(StrEnum):
    """Forms of the output."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"
    GITHUB = "github"
    GITLAB = "gitlab"


class FailOn(StrEnum):
    """What makes the command fail."""

    FINDINGS = "findings"
    POSSIBLE = "possible"


def scan(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH…", help="Files or folders with test source.")],
    format_: Annotated[Format, typer.Option("--format", help="Form of the output.")] = Format.TEXT,
    json: JsonOption = False,
    mechanism: Annotated[
        list[Mechanism] | None,
        typer.Option(help="Report only this mechanism; may be given more than once.", show_default=False),
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Processes to scan with; default: one a CPU.", show_default=False)
    ] = None,
    scheduler: SchedulerOption = None,
    fail_on: Annotated[
        FailOn | None,
        typer.Option(help="Exit with 1 when there is a finding, or even a possible one.", show_default=False),
    ] = None,
    possible: Annotated[
        bool, typer.Option("--possible", help="Show also findings that little speaks for.", show_default=False)
    ] = False,
    project: ProjectOption = None,
    db: DbOption = None,
) -> int:
    """Find the lines in test source that signal a process and look too early whether it is gone.

    Findings in tests that the database knows are stored there, as evidence for `detect`; without --db only where
    there is a database already. A comment `flakehunter: ignore[MECHANISM]` on a line silences it.
    """
    from flakehunter.scan.run import scan as scan_paths

    report = scan_paths(
        paths,
        jobs=jobs,
        scheduler=scheduler,
        mechanisms=frozenset(mechanism) if mechanism else None,
        possible=possible or fail_on is FailOn.POSSIBLE,
    )
    _print(report, Format.JSON if json else format_)
    stored = _store(report, paths, project=project, db=db)
    _tell(report, stored)
    counts = {None: [], FailOn.FINDINGS: report.likely, FailOn.POSSIBLE: report.findings}[fail_on]
    return ExitCode.FINDINGS if counts else ExitCode.OK


def _print(report: "Report", form: Format) -> None:
    from flakehunter.scan import output

    if form is not Format.TEXT:
        text = output.render(report, output.Format(form.value))
        if text:
            console.write(text)
        return
    if not report.findings:
        return
    from rich.text import Text

    out = console.out()
    styled = Text(output.as_text(report))
    styled.highlight_regex(r"(?m)^\S+:\d+:", "bold")
    styled.highlight_regex(rf"(?m)(?<=: )(?:possible )?(?:{'|'.join(Mechanism)})(?=: )", "bold red")
    styled.highlight_regex(r"(?m)^ +\d+ \w+ *\|", "dim")
    out.print(styled, soft_wrap=True)


def _store(report: "Report", paths: list[Path], *, project: str | None, db: str | None) -> int | None:
    """Store what stands in known tests; None where there is no database and none was asked for."""
    import os

    from flakehunter.config import DEFAULT_DATABASE, database_url

    if db is None and not os.environ.get("FLAKEHUNTER_DB") and not DEFAULT_DATABASE.exists():
        return None
    from flakehunter.db.engine import open_database
    from flakehunter.db.queries.scans import ScannedFinding, store_scan
    from flakehunter.scan.run import shown_path

    engine = open_database(database_url(db))
    found = [
        ScannedFinding(f.mechanism, f.file, f.function, f.look_line, report.SCORE, f.document() | {"text": f.message})
        for f in report.likely
    ]
    try:
        with engine.begin() as connection:
            return store_scan(connection, found, project=project, scanned=[shown_path(str(path)) for path in paths])
    finally:
        engine.dispose()


def _tell(report: "Report", stored: int | None) -> None:
    from flakehunter.scan.output import summary

    for path in report.broken:
        console.detail(f"{path}: syntax errors, scanned as far as it parses")
    for skipped in report.skipped:
        console.detail(f"{skipped.file}: skipped: {skipped.reason}")
    for failed in report.failed:
        console.warn(f"{failed.file} was not judged, a bug of flakehunter: {failed.reason}")
    console.say(summary(report))
    if stored:
        console.say(f"{stored} stored as evidence of tests in the database: flakehunter detect weighs them")
