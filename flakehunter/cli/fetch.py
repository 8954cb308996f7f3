"""`flakehunter fetch`: artifacts and logs of CI runs through the service's API, into the database."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flakehunter import console
from flakehunter.cli.ingest import ingest_document, tell_ingested
from flakehunter.cli.options import DbOption, JsonOption, ProjectOption
from flakehunter.config import database_url
from flakehunter.model import SCHEMA_VERSION

if TYPE_CHECKING:
    from collections.abc import Callable

    from flakehunter.ingest.fetch.api import Api, Service
    from flakehunter.ingest.fetch.runs import Fetched, Observer, Provider, Wanted

app = typer.Typer(
    help="Download artifacts and logs of CI runs, only what is new, and ingest them.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

FOLDER = Path(".flakehunter/fetched")

RunsOption = Annotated[int, typer.Option("--runs", min=1, metavar="N", help="How many of the newest finished runs.")]
BranchOption = Annotated[str | None, typer.Option(help="Only runs of this branch.")]
ArtifactOption = Annotated[
    list[str] | None,
    typer.Option(metavar="PATTERN", help="Only artifacts with such a name; may be given more than once."),
]
LogsOption = Annotated[bool, typer.Option("--logs/--no-logs", help="Whether to download the logs of jobs, too.")]
SizeOption = Annotated[int, typer.Option("--max-size", min=1, metavar="MIB", help="Leave out artifacts larger.")]
WaitOption = Annotated[
    float, typer.Option("--max-wait", min=0, metavar="SECONDS", help="Longest wait for a rate limit at a time.")
]
ToOption = Annotated[
    Path, typer.Option("--to", metavar="FOLDER", help="Where downloads are kept, so that none is made twice.")
]
UrlOption = Annotated[
    str | None, typer.Option("--url", help="The service's URL, where it is one of your own.", show_default=False)
]
IngestOption = Annotated[bool, typer.Option("--ingest/--no-ingest", help="Whether to ingest what is there, or later.")]


@app.command()
def github(
    repository: Annotated[str, typer.Argument(metavar="OWNER/REPO", help="The repository.")],
    runs: RunsOption = 30,
    branch: BranchOption = None,
    workflow: Annotated[
        str | None, typer.Option(metavar="FILE", help="Only runs of this workflow, such as ci.yml.")
    ] = None,
    artifact: ArtifactOption = None,
    logs: LogsOption = True,
    max_size: SizeOption = 1024,
    max_wait: WaitOption = 900.0,
    to: ToOption = FOLDER,
    url: UrlOption = None,
    ingest: IngestOption = True,
    project: ProjectOption = None,
    as_json: JsonOption = False,
    db: DbOption = None,
) -> None:
    """Fetch the newest runs of a GitHub repository; the token is taken from GITHUB_TOKEN or GH_TOKEN."""
    from flakehunter.ingest.fetch.github import GitHub, service

    _fetch(
        service(url=url),
        lambda api: GitHub(api, repository, branch=branch or "", workflow=workflow or ""),
        to / "github" / repository,
        _wanted(runs, artifact, logs, max_size),
        repository,
        max_wait,
        database_url(db) if ingest else None,
        project or "default",
        as_json,
    )


@app.command()
def gitlab(
    path: Annotated[str, typer.Argument(metavar="PROJECT", help="The project's path, such as group/app, or its id.")],
    runs: RunsOption = 30,
    branch: BranchOption = None,
    artifact: ArtifactOption = None,
    logs: LogsOption = True,
    max_size: SizeOption = 1024,
    max_wait: WaitOption = 900.0,
    to: ToOption = FOLDER,
    url: UrlOption = None,
    ingest: IngestOption = True,
    project: ProjectOption = None,
    as_json: JsonOption = False,
    db: DbOption = None,
) -> None:
    """Fetch the newest pipelines of a GitLab project; the token is taken from GITLAB_TOKEN or CI_JOB_TOKEN."""
    from flakehunter.ingest.fetch.gitlab import GitLab, service

    _fetch(
        service(url=url),
        lambda api: GitLab(api, path, branch=branch or ""),
        to / "gitlab" / path.strip("/"),
        _wanted(runs, artifact, logs, max_size),
        path,
        max_wait,
        database_url(db) if ingest else None,
        project or "default",
        as_json,
    )


def _wanted(runs: int, artifact: list[str] | None, logs: bool, max_size: int) -> "Wanted":
    from flakehunter.ingest.fetch.runs import Wanted

    return Wanted(runs, tuple(artifact or ("*",)), logs, max_size << 20)


def _fetch(
    service: "Service",
    provider: "Callable[[Api], Provider]",
    root: Path,
    wanted: "Wanted",
    name: str,
    max_wait: float,
    database: str | None,
    project: str,
    as_json: bool,
) -> None:
    from flakehunter.ingest.fetch.task import FetchTask, fetch_and_ingest
    from flakehunter.ingest.pipeline import IngestOptions

    options = IngestOptions(project=project)
    task = FetchTask(service, provider, name, root, wanted, database, options, max_wait)
    with _progress() as observe:
        fetched, summary = fetch_and_ingest(task, console.say, observe)
    _tell(fetched, root)
    if summary is not None:
        tell_ingested(summary)
    if as_json:
        document = {
            "schema_version": SCHEMA_VERSION,
            "runs": fetched.runs,
            "new_runs": fetched.new_runs,
            "files": fetched.files,
            "bytes": fetched.bytes,
            "gone": fetched.gone,
            "too_large": fetched.too_large,
            "folder": str(root),
            "ingest": ingest_document(summary) if summary is not None else None,
        }
        console.write(json.dumps(document, indent=2))


@contextmanager
def _progress() -> "Iterator[Observer]":
    """Tell what is downloaded: in one moving line on a terminal, else only with -v."""
    if not console.shows_progress():
        yield lambda _done, what: console.detail(f"downloading {what}")
        return
    from rich.progress import Progress, SpinnerColumn, TextColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=console.err(), transient=True) as bar:
        task = bar.add_task("asking for runs")
        yield lambda done, what: bar.update(task, description=f"run {done.runs}: {what}")


def _tell(fetched: "Fetched", root: Path) -> None:
    for what in fetched.too_large:
        console.warn(f"left out {what}: larger than --max-size")
    gone = f"; {fetched.gone} files are gone from the service" if fetched.gone else ""
    console.say(
        f"fetched {fetched.files} files ({fetched.bytes / 1e6:.1f} MB) of {fetched.new_runs} new among the last"
        f" {fetched.runs} runs into {root}{gone}"
    )
