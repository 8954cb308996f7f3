"""The whole of `flakehunter fetch`: download what is new, then ingest what is there."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from flakehunter.errors import NothingToDoError
from flakehunter.ingest.fetch.api import Api, Gone, Service
from flakehunter.ingest.fetch.runs import Fetched, Observer, Provider, Wanted, fetch_runs
from flakehunter.ingest.pipeline import IngestOptions, Summary, ingest


@dataclass(frozen=True, slots=True)
class FetchTask:
    """What to fetch from where, and where to put it."""

    service: Service
    provider: Callable[[Api], Provider]
    project: str
    """The project's name at the service."""
    root: Path
    wanted: Wanted
    database: str | None
    """URL of the database to ingest into; None leaves the files to a later `flakehunter ingest`."""
    options: IngestOptions = IngestOptions()  # noqa: RUF009 (frozen)
    max_wait_s: float = 900.0
    sleep: Callable[[float], None] = time.sleep


def fetch_and_ingest(task: FetchTask, say: Callable[[str], None], observe: Observer) -> tuple[Fetched, Summary | None]:
    """Download what is new of a project's runs and ingest it; return what was done, of both.

    Raises:
        NothingToDoError: there is no such project, it has no finished run, or none left anything behind.
        UsageError: the token is missing or may not see the project.
        RemoteError: the service fails, or asks to wait for too long; what was downloaded stays.
        DatabaseError: the database cannot be written.
    """
    with Api(task.service, max_wait_s=task.max_wait_s, sleep=task.sleep, say=say) as api:
        try:
            fetched = fetch_runs(api, task.provider(api), task.root, task.wanted, observe)
        except Gone as error:
            raise NothingToDoError(
                f"{task.service.name} knows no {task.project}, or its token may not see it ({error})",
                hint=task.service.token_hint,
            ) from error
    if not fetched.runs:
        raise NothingToDoError(
            f"{task.project} has no finished run", hint="check --branch and --workflow, or wait for a run to end"
        )
    if task.database is None:
        return fetched, None
    if not fetched.folders:
        raise NothingToDoError(
            f"the last {fetched.runs} runs of {task.project} left nothing behind that is still there",
            hint="let the CI upload its JUnit files, or take more runs with --runs",
        )
    # Oldest first, so that the history is in order while it is read.
    return fetched, ingest(list(reversed(fetched.folders)), task.database, task.options)
