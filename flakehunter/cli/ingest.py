"""`flakehunter ingest`: JUnit XML and logs into the database."""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flakehunter import console
from flakehunter.cli.options import DbOption, JsonOption, ProjectOption, SchedulerOption
from flakehunter.config import database_url
from flakehunter.errors import RejectedError, UsageError
from flakehunter.garbage import few_collections
from flakehunter.model import SCHEMA_VERSION

if TYPE_CHECKING:
    from datetime import datetime

    from flakehunter.ingest.found import Observer, Summary
    from flakehunter.ingest.runs import RunNaming

SHOWN = 20
"""Rejected files named on stderr; all of them are in the JSON document and in the database."""


class OutputFormat(StrEnum):
    """What goes to stdout."""

    TEXT = "text"
    JSON = "json"


@few_collections()
def ingest(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH...",
            help="Files, folders, patterns and archives that the CI wrote, - for standard input, or https://, s3://, gs://.",
        ),
    ],
    commit: Annotated[str | None, typer.Option(help="Commit that was tested.")] = None,
    branch: Annotated[str | None, typer.Option(help="Branch that was tested.")] = None,
    run_id: Annotated[str | None, typer.Option("--run-id", help="The CI's id of the run.")] = None,
    attempt: Annotated[int | None, typer.Option(min=1, help="Which attempt of the run, from 1.")] = None,
    job: Annotated[str | None, typer.Option(help="Job of the run.")] = None,
    workflow: Annotated[str | None, typer.Option(help="Workflow or pipeline of the run.")] = None,
    started_at: Annotated[
        str | None,
        typer.Option("--started-at", metavar="TIME", help="When the run began, such as 2026-05-01T12:00:00Z."),
    ] = None,
    layout: Annotated[
        str | None,
        typer.Option(
            metavar="TEMPLATE",
            help="Take the run of each file from its path below PATH, such as '{commit}/{run_id}-{attempt}/{job}/**'.",
        ),
    ] = None,
    repair: Annotated[
        bool, typer.Option("--repair/--no-repair", help="Keep the whole test cases before the damage of a file.")
    ] = True,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 3 when a file is rejected; implies --no-repair.")
    ] = False,
    redact: Annotated[
        list[str] | None, typer.Option(metavar="REGEX", help="Mask what this matches, beside the known secrets.")
    ] = None,
    max_element: Annotated[
        int, typer.Option(min=1, metavar="MIB", help="Refuse XML with a larger test case, text or attribute.")
    ] = 32,
    max_depth: Annotated[int, typer.Option(min=1, metavar="N", help="Refuse XML whose elements nest deeper.")] = 200,
    max_unpacked: Annotated[
        int, typer.Option(min=1, metavar="MIB", help="Stop reading an archive that unpacks to more.")
    ] = 16384,
    max_ratio: Annotated[
        int, typer.Option(min=1, metavar="N", help="Stop reading an archive that grows more than so many times.")
    ] = 250,
    max_entries: Annotated[
        int, typer.Option(min=1, metavar="N", help="Stop reading an archive with more files.")
    ] = 200_000,
    max_nesting: Annotated[int, typer.Option(min=1, metavar="N", help="Refuse archives deeper inside each other.")] = 3,
    jobs: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Processes: one writes, the others read files; default: one a CPU.",
            show_default=False,
        ),
    ] = None,
    scheduler: SchedulerOption = None,
    project: ProjectOption = None,
    output: Annotated[OutputFormat, typer.Option("--format", help="What to print on stdout.")] = OutputFormat.TEXT,
    as_json: JsonOption = False,
    db: DbOption = None,
) -> None:
    """Read JUnit XML files and logs into the database; what is there already is not added again.

    Which run a file belongs to comes from these options, from --layout, from the CI's environment variables, or from
    the git checkout around.
    """
    from flakehunter.ingest.found import IngestOptions
    from flakehunter.ingest.limits import MIB, Limits
    from flakehunter.ingest.redact import add_patterns
    from flakehunter.ingest.remote import is_remote

    naming = _naming(commit, branch, run_id, attempt, job, workflow, started_at, layout)
    add_patterns(redact or [])
    limits = Limits(
        xml_element=max_element * MIB,
        xml_depth=max_depth,
        archive_bytes=max_unpacked * MIB,
        archive_ratio=max_ratio,
        archive_entries=max_entries,
        archive_depth=max_nesting,
    )
    options = IngestOptions(
        project=project or "default", naming=naming, strict=strict, repair=repair, limits=limits, jobs=jobs
    )
    sources: list[Path | str] = [path if is_remote(path) else Path(path) for path in paths]
    with _progress(sources) as observe:
        if scheduler is None:
            from flakehunter.ingest.pipeline import ingest as run_ingest

            summary = run_ingest(sources, database_url(db), options, observe)
        else:
            from flakehunter.ingest.fleet import ingest_by_fleet

            summary = ingest_by_fleet(sources, database_url(db), options, scheduler, observe)
    tell_ingested(summary)
    if as_json or output is OutputFormat.JSON:
        console.write(json.dumps(ingest_document(summary), indent=2))
    if strict and summary.rejected:
        raise RejectedError(
            f"{len(summary.rejected)} of {summary.artifacts} artifacts rejected",
            rejected=len(summary.rejected),
            hint="without --strict the rest is ingested and the command succeeds",
        )


def _naming(
    commit: str | None,
    branch: str | None,
    run_id: str | None,
    attempt: int | None,
    job: str | None,
    workflow: str | None,
    started_at: str | None,
    layout: str | None,
) -> "RunNaming":
    from flakehunter.db.rows import RunRow
    from flakehunter.ingest.layout import compile_layout
    from flakehunter.ingest.runs import RunNaming, surroundings

    given = RunRow(
        external_id=run_id or "",
        workflow=workflow or "",
        job=job or "",
        attempt=attempt or 1,
        commit=commit or "",
        branch=branch or "",
        started_at=_moment(started_at) if started_at else None,
    )
    if layout:
        return RunNaming(given, compile_layout(layout))
    around, origin = surroundings(os.environ, Path.cwd())
    if origin and not commit:
        console.say(f"commit {around.commit[:12] or 'unknown'} and the run are taken from {origin}")
    return RunNaming(given, None, around)


def _moment(text: str) -> "datetime":
    from datetime import datetime

    from flakehunter.clock import as_utc

    try:
        return as_utc(datetime.fromisoformat(text))
    except ValueError as error:
        raise UsageError(
            f"--started-at {text!r} is not a moment",
            hint="write it like 2026-05-01T12:00:00Z; without a zone it is UTC",
        ) from error


@contextmanager
def _progress(paths: Sequence[Path | str]) -> "Iterator[Observer | None]":
    """Draw a bar that tells how far the ingest is, on a terminal only."""
    if not console.shows_progress():
        yield None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from flakehunter.ingest.sources import find_sources

    # Standard input can be read only once, and a URL is fetched once: then the bar only moves.
    once = any(isinstance(path, str) or path == Path("-") for path in paths)
    total = None if once else sum(1 for _ in find_sources(paths))
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console.err(), transient=True) as bar:
        task = bar.add_task("files", total=total)

        def observe(_source: object, summary: "Summary") -> None:
            bar.update(task, completed=summary.files, description=f"{summary.results} results, files")

        yield observe


def tell_ingested(summary: "Summary") -> None:
    """Say on stderr what an ingest did, rejected files first."""
    for entry in summary.rejected[:SHOWN]:
        where = f", {entry.position}" if entry.position else ""
        console.warn(f"{entry.path}{where}: {entry.reason}")
    if len(summary.rejected) > SHOWN:
        console.warn(f"{len(summary.rejected) - SHOWN} more files have issues; --json lists all")
    if summary.skipped:
        console.detail(f"{summary.skipped} files are no artifacts of a test run and were passed over")
    parts = [
        f"{console.plural(summary.artifacts, 'artifact')}",
        f"{console.plural(summary.results, 'result')}, {summary.new_results} of them new",
    ]
    if summary.known_artifacts:
        parts.append(f"{console.plural(summary.known_artifacts, 'artifact')} known before")
    if summary.rejected:
        parts.append(f"{console.plural(len(summary.rejected), 'file')} with issues")
    console.say("ingested " + "; ".join(parts))
    if summary.unnamed:
        console.say(
            f"  hint: of {console.plural(summary.unnamed, 'artifact')} no commit is known;"
            " give --commit, or --layout for a history"
        )


def ingest_document(summary: "Summary") -> dict[str, object]:
    """Return the `ingest --json` document."""
    return {
        "schema_version": SCHEMA_VERSION,
        "artifacts": summary.artifacts,
        "results": summary.results,
        "new_results": summary.new_results,
        "known_artifacts": summary.known_artifacts,
        "rejected": [
            {"path": entry.path, "position": entry.position, "reason": entry.reason} for entry in summary.rejected
        ],
    }
