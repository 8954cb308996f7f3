"""Fetch the newest runs of a project: ask a provider what there is, download what is not here yet."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Protocol

from flakehunter.ingest.fetch.api import Api, Gone, TooLarge
from flakehunter.ingest.fetch.folder import RunFolder
from flakehunter.ingest.limits import MIB


@dataclass(frozen=True, slots=True)
class CiRun:
    """One attempt of a run; `fields` are those of a `runs.jsonl`, without the job."""

    id: str
    attempt: int
    fields: Mapping[str, str]
    version: str = ""
    """Changes when the service has more of the run than before."""


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file of a run: an artifact or the log of a job."""

    name: str
    """Its name in the folder of the run."""
    title: str
    """Its name for users, which `--artifact` is matched with; a log's is its job's."""
    is_log: bool
    fields: Mapping[str, str]
    """What is known beside the run's own fields: job, runner, start."""
    path: str = ""
    """Where the API has it."""
    content: Callable[[], bytes | None] | None = None
    """What to write instead of a download: an answer of the API that had to be put into another form."""
    size: int | None = None
    expired: bool = False


class Provider(Protocol):
    """A CI service with an API."""

    name: str

    def runs(self) -> Iterator[list[CiRun]]:
        """Yield finished runs, newest first, each with its attempts."""

    def files(self, run: CiRun) -> Iterator[RemoteFile]:
        """Yield what an attempt of a run left behind."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to download."""

    runs: int = 30
    artifacts: tuple[str, ...] = ("*",)
    """Patterns for names of artifacts."""
    logs: bool = True
    max_bytes: int = 1024 * MIB
    """Larger artifacts are left out."""

    def __str__(self) -> str:
        return json.dumps([sorted(self.artifacts), self.logs, self.max_bytes])

    def includes(self, file: RemoteFile) -> bool:
        """Whether a file is wanted; that it may be too large is another matter."""
        return self.logs if file.is_log else any(fnmatch(file.title, pattern) for pattern in self.artifacts)


@dataclass(slots=True)
class Fetched:
    """What a fetch did."""

    runs: int = 0
    new_runs: int = 0
    files: int = 0
    bytes: int = 0
    gone: int = 0
    """Files that the service has deleted."""
    too_large: list[str] = field(default_factory=list)
    folders: list[Path] = field(default_factory=list)
    """Folders of runs that hold something, newest first."""


Observer = Callable[[Fetched, str], None]


def fetch_runs(
    api: Api, provider: Provider, root: Path, wanted: Wanted, observe: Observer = lambda _done, _what: None
) -> Fetched:
    """Download what the newest runs left behind and is not below `root` yet; `observe` is told of each file.

    Raises:
        Gone: there is no such project.
        UsageError: the token is missing or may not see the project, or `root` cannot be written.
        RemoteError: the service fails, or asks to wait for too long; what was downloaded stays.
    """
    done = Fetched()
    for attempts in provider.runs():
        if done.runs >= wanted.runs:
            break
        done.runs += 1
        is_new = False
        for run in attempts:
            folder = RunFolder(root / f"{run.id}-{run.attempt}")
            if not folder.is_complete(f"{wanted} {run.version}"):
                is_new = True
                _fetch_run(api, provider, run, folder, wanted, done, observe)
            if folder.path.is_dir():
                done.folders.append(folder.path)
        done.new_runs += is_new
    return done


def _fetch_run(
    api: Api, provider: Provider, run: CiRun, folder: RunFolder, wanted: Wanted, done: Fetched, observe: Observer
) -> None:
    for file in provider.files(run):
        if not wanted.includes(file) or folder.has(file.name):
            continue
        if file.size is not None and file.size > wanted.max_bytes:
            done.too_large.append(f"{file.title} of run {run.id} ({file.size // MIB} MiB)")
            continue
        observe(done, f"{run.id}-{run.attempt} {file.title}")
        try:
            size = None if file.expired else _take(api, file, folder, wanted)
        except TooLarge:
            done.too_large.append(f"{file.title} of run {run.id}")
            continue
        if size is None:
            folder.note_gone(file.name)
            done.gone += 1
            continue
        folder.list_file(file.name, {**run.fields, **file.fields})
        done.files += 1
        done.bytes += size
    folder.note_complete(f"{wanted} {run.version}")


def _take(api: Api, file: RemoteFile, folder: RunFolder, wanted: Wanted) -> int | None:
    """Download one file and return its size; None when the service has it no more."""
    target = folder.target(file.name)
    try:
        if file.content is None:
            return api.download(file.path, target, max_bytes=wanted.max_bytes)
        data = file.content()
    except Gone:
        return None
    if data is None:
        return None
    part = target.with_name(target.name + ".part")
    part.write_bytes(data)
    part.replace(target)
    return len(data)
