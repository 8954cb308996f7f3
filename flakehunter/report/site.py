"""The one call of `flakehunter report`: from a database to a folder of pages."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine

from flakehunter.db.engine import readonly
from flakehunter.db.queries.report import freshness
from flakehunter.report.build import build_site
from flakehunter.report.changes import State, compare, state_of
from flakehunter.report.folder import Written, check_folder, read_list, write_site
from flakehunter.report.owners import Owners
from flakehunter.report.views import Changes, Overview, Scope, Site


@dataclass(frozen=True, slots=True)
class Report:
    """What was written, and what it says."""

    written: Written
    overview: Overview
    site: Site
    """All of it; `changes` are since the report that was in the folder."""


def verdicts_are_current(engine: Engine, project: str | None = None) -> bool:
    """Whether `detect` has seen the newest results."""
    with readonly(engine).connect() as connection:
        found = freshness(connection, project)
        return not found.missing and not found.stale


def write_report(
    engine: Engine,
    folder: Path,
    *,
    project: str | None = None,
    scope: Scope | None = None,
    owners: Owners | None = None,
    templates: Path | None = None,
) -> Report:
    """Write the site of a project, or of all, into `folder`, with what changed since the report that is there.

    Raises:
        NothingToDoError: the database has no runs, or none in `scope`.
        UsageError: the folder cannot be written, or files that are not ours are in the way.
    """
    from flakehunter.report.html import render  # imports matplotlib, which other forms of the report do without

    check_folder(folder)
    site = read_site(engine, project=project, scope=scope, owners=owners)
    state = state_of(site.overview)
    base = _compared_with(read_list(folder), state)
    if base is not None:
        site = _with_changes(site, base)
    keep = {"state": state.as_document(), "previous": base.as_document() if base else None}
    written = write_site(render(site, templates=templates), folder, keep=keep)
    return Report(written, site.overview, site)


def read_site(
    engine: Engine,
    *,
    project: str | None = None,
    scope: Scope | None = None,
    owners: Owners | None = None,
    since_report: Path | None = None,
) -> Site:
    """Return the views of a project, with what changed since the report in the folder `since_report`.

    Raises:
        NothingToDoError: the database has no runs, or none in `scope`.
    """
    with readonly(engine).connect() as connection:
        warning = _warning(connection, project)
        site = build_site(connection, project=project, scope=scope, owners=owners, warning=warning)
    base = _compared_with(read_list(since_report), state_of(site.overview)) if since_report else None
    return _with_changes(site, base) if base else site


def differences(before: Engine, after: Engine, *, project: str | None = None) -> Changes:
    """Return what changed from one database to another.

    Raises:
        NothingToDoError: one of them has no runs.
    """
    old, new = (read_site(engine, project=project) for engine in (before, after))
    return compare(state_of(old.overview), state_of(new.overview))


def _with_changes(site: Site, base: State) -> Site:
    slugs = {page.summary.identity.key.hex(): page.summary.slug for page in site.pages}
    return replace(site, changes=compare(base, state_of(site.overview), slugs))


def _compared_with(document: Mapping[str, Any], state: State) -> State | None:
    """Return the state that this report is compared with: that of the last one that said something else.

    So a report written twice from the same data says the same both times.
    """
    stored, previous = State.of_document(document.get("state")), State.of_document(document.get("previous"))
    base = previous if stored == state else stored
    return base if base is not None and base.scope == state.scope else None


def _warning(connection: Connection, project: str | None) -> str:
    found = freshness(connection, project)
    if found.missing:
        return "No test has been judged yet. Run flakehunter detect, then write the report again."
    if found.stale:
        return "There are results that came after them. Run flakehunter detect, then write the report again."
    return ""
