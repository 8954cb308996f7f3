"""`flakehunter report`: a static HTML site of what flakes, why, and what it costs."""

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flakehunter import console
from flakehunter.cli.options import DbOption, JsonOption, ProjectOption
from flakehunter.cli.report_common import day_of, opened, put, save, write_diff
from flakehunter.config import database_url
from flakehunter.errors import UsageError

if TYPE_CHECKING:
    from flakehunter.report.owners import Owners
    from flakehunter.report.site import Report
    from flakehunter.report.views import Scope, Site


class Format(StrEnum):
    """What a report can be."""

    HTML = "html"
    MARKDOWN = "markdown"
    JSON = "json"
    CSV = "csv"
    PARQUET = "parquet"
    BADGE = "badge"
    CODEQUALITY = "codequality"


DEFAULT_FOLDERS = {
    Format.HTML: Path("flakehunter-report"),
    Format.CSV: Path("flakehunter-export"),
    Format.PARQUET: Path("flakehunter-export"),
}
"""Formats that are many files; the others are one text."""


def report(
    context: typer.Context,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="PATH",
            help="Folder of the site (flakehunter-report) or of the tables (flakehunter-export); "
            "a file for the other formats, which go to stdout without it.",
            show_default=False,
        ),
    ] = None,
    format_: Annotated[
        Format, typer.Option("--format", help="A site, a text for a step summary, data, every table, or a badge.")
    ] = Format.HTML,
    json_: JsonOption = False,
    also: Annotated[
        list[str] | None,
        typer.Option(
            "--also",
            metavar="FORMAT=FILE",
            help="Beside the site, also this: markdown=summary.md, json=, badge= or codequality=. Several are allowed.",
            show_default=False,
        ),
    ] = None,
    diff: Annotated[
        tuple[str, str] | None,
        typer.Option(
            "--diff",
            metavar="A B",
            help="Only what changed from A to B: two databases, or two days of this one "
            "(2026-11-02, 30d or 8w back, now).",
            show_default=False,
        ),
    ] = None,
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
    _check_templates(templates)
    scope = _scope(since, branch, owner)
    beside = [_form_and_file(word) for word in also or ()]
    kind = Format.JSON if json_ else format_
    url = database_url(db)
    if diff is not None:
        if kind not in (Format.HTML, Format.MARKDOWN, Format.JSON):
            raise UsageError(f"--diff has no {kind.value} format", hint="use --format markdown or --json")
        return write_diff(*diff, url=url, project=project, as_json=kind is Format.JSON, output=output)
    if kind in (Format.CSV, Format.PARQUET):
        return _export(url, project, output or DEFAULT_FOLDERS[kind], kind)
    if detect:
        _judge(url, project)
    owners = _owners(codeowners, context.obj.root)
    if kind is Format.HTML:
        return _site(url, output or DEFAULT_FOLDERS[kind], project, scope, owners, templates, beside)
    if beside:
        raise UsageError("--also is for the site", hint=f"leave out --format {kind.value}, or --also")
    return _text(url, kind, output, project, scope, owners)


def _site(
    url: str,
    folder: Path,
    project: str | None,
    scope: "Scope",
    owners: "Owners | None",
    templates: Path | None,
    beside: list[tuple[Format, Path]],
) -> None:
    from flakehunter.report.site import write_report

    with opened(url) as engine:
        done = write_report(engine, folder, project=project, scope=scope, owners=owners, templates=templates)
    if done.overview.warning:
        console.warn(done.overview.warning)
    for form, path in beside:
        save(_rendered(done.site, form), path)
    console.say(summary(done))
    console.write(str(done.written.index))


def _text(
    url: str, kind: Format, output: Path | None, project: str | None, scope: "Scope", owners: "Owners | None"
) -> None:
    from flakehunter.report.site import read_site

    with opened(url) as engine:
        site = read_site(engine, project=project, scope=scope, owners=owners, since_report=DEFAULT_FOLDERS[Format.HTML])
    if site.overview.warning:
        console.warn(site.overview.warning)
    put(_rendered(site, kind), output)


def _rendered(site: "Site", form: Format) -> str:
    """Return the text of a report in a form that is one text."""
    from flakehunter.report import badge, document, markdown

    if form is Format.JSON:
        return json.dumps(document.to_document(site), indent=2, ensure_ascii=False)
    if form is Format.CODEQUALITY:
        return json.dumps(document.code_quality(site), indent=2, ensure_ascii=False)
    return (markdown.render(site) if form is Format.MARKDOWN else badge.render(site.overview)).rstrip("\n")


def _form_and_file(word: str) -> tuple[Format, Path]:
    """Return what an `--also` means."""
    texts = [form for form in Format if form not in DEFAULT_FOLDERS]
    name, _, file = word.partition("=")
    if name not in texts or not file:
        raise UsageError(
            f"--also {word!r} is no FORMAT=FILE",
            hint=f"write --also markdown=summary.md; FORMAT is one of {', '.join(texts)}",
        )
    return Format(name), Path(file)


def _export(url: str, project: str | None, folder: Path, kind: Format) -> None:
    from flakehunter.report.export import export
    from flakehunter.report.frames import load

    written = export(load(url, project=project), folder, kind.value)
    console.say(f"wrote {written.files} tables, {written.bytes / 1e6:.1f} MB")
    console.write(str(written.index))


def _scope(since: str | None, branch: str | None, owner: str | None) -> "Scope":
    from flakehunter.report.views import Scope

    return Scope(since=day_of(since) if since else None, branch=branch or "", owner=owner or "")


def _judge(url: str, project: str | None) -> None:
    """Let `detect` look at what came after the last verdicts."""
    from flakehunter.db.readers import may_write
    from flakehunter.report.site import verdicts_are_current

    with opened(url) as engine:
        current, writes = verdicts_are_current(engine, project), may_write(engine)
    if not current and not writes:
        console.warn("this role only reads: the report shows the verdicts that detect stored last")
    elif not current:
        from flakehunter.detect.assess import detect  # takes a second to import

        console.say("judging the tests first: there is evidence that the last verdicts do not know")
        detect(url, project=project)


def _owners(codeowners: Path | None, root: Path) -> "Owners | None":
    from flakehunter.report.owners import find_owners, read_owners

    path = codeowners or find_owners(root)
    return read_owners(path) if path is not None else None


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
        f"{console.plural(flaky, 'flaky test')} of {overview.tests}, "
        f"{overview.cost.lost} of {overview.cost.jobs} jobs lost to flakes alone\n"
        f"wrote {written.files} pages, {written.bytes / 1e6:.1f} MB{gone}{left}"
    )
