"""The one call of `flakehunter report`: from a database to a folder of pages."""

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Engine

from flakehunter.db.engine import readonly
from flakehunter.db.queries.report import freshness
from flakehunter.report.build import build_site
from flakehunter.report.folder import Written, write_site
from flakehunter.report.html import render
from flakehunter.report.views import Overview


@dataclass(frozen=True, slots=True)
class Report:
    """What was written, and what it says."""

    written: Written
    overview: Overview


def verdicts_are_current(engine: Engine, project: str | None = None) -> bool:
    """Whether `detect` has seen the newest results."""
    with readonly(engine).connect() as connection:
        found = freshness(connection, project)
        return not found.missing and not found.stale


def write_report(engine: Engine, folder: Path, *, project: str | None = None, templates: Path | None = None) -> Report:
    """Write the site of a project, or of all, into `folder`.

    Raises:
        NothingToDoError: the database has no runs.
        UsageError: the folder cannot be written, or files that are not ours are in the way.
    """
    with readonly(engine).connect() as connection:
        site = build_site(connection, project=project, warning=_warning(connection, project))
    written = write_site(render(site, templates=templates), folder)
    return Report(written, site.overview)


def _warning(connection: Connection, project: str | None) -> str:
    found = freshness(connection, project)
    if found.missing:
        return "No test has been judged yet. Run flakehunter detect, then write the report again."
    if found.stale:
        return "There are results that came after them. Run flakehunter detect, then write the report again."
    return ""
