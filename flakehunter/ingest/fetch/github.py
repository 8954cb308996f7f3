"""GitHub Actions: runs, artifacts and logs of jobs.

https://docs.github.com/rest/actions/workflow-runs, /artifacts and /workflow-jobs. Artifacts and logs are redirects to a
blob store that are good for a minute; a deleted artifact is `expired` in the list, and 410 when it is asked for.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from flakehunter.errors import UsageError
from flakehunter.ingest.fetch.api import Api, Gone, Service
from flakehunter.ingest.fetch.runs import CiRun, RemoteFile

NAME = "github"


def service(environment: Mapping[str, str] = os.environ, url: str | None = None) -> Service:
    """Return GitHub's API: `url`, or GITHUB_API_URL, or the public one; its token from GITHUB_TOKEN or GH_TOKEN."""
    token = environment.get("GITHUB_TOKEN") or environment.get("GH_TOKEN") or ""
    headers = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    base = url or environment.get("GITHUB_API_URL") or "https://api.github.com"
    hint = "set GITHUB_TOKEN to a token that may read Actions of this repository"
    return Service("GitHub", base.rstrip("/"), headers, hint)


class GitHub:
    """The runs of one repository."""

    name = NAME

    def __init__(self, api: Api, repository: str, *, branch: str = "", workflow: str = "") -> None:
        if not re.fullmatch(r"[\w.-]+/[\w.-]+", repository):
            raise UsageError(f"{repository!r} is no repository", hint="write it as OWNER/REPO")
        self._api, self._branch = api, branch
        self._base = f"/repos/{repository}/actions"
        self._list = f"{self._base}/workflows/{workflow}/runs" if workflow else f"{self._base}/runs"
        self._starts: dict[str, list[str]] = {}
        self._attempts: dict[str, int] = {}

    def runs(self) -> Iterator[list[CiRun]]:
        """Yield finished runs, newest first, each with its attempts."""
        for run in self._api.pages(self._list, "workflow_runs", status="completed", branch=self._branch):
            attempts = int(run.get("run_attempt") or 1)
            self._attempts[str(run["id"])] = attempts
            fields = {
                "provider": NAME,
                "run_id": str(run["id"]),
                "workflow": str(run.get("name") or ""),
                "commit": str(run.get("head_sha") or ""),
                "branch": str(run.get("head_branch") or ""),
            }
            yield [
                CiRun(str(run["id"]), number, fields | {"attempt": str(number)}) for number in range(1, attempts + 1)
            ]

    def files(self, run: CiRun) -> Iterator[RemoteFile]:
        """Yield the artifacts of an attempt, then the logs of its jobs."""
        jobs = self._jobs(run)
        artifacts = [entry for entry in self._artifacts(run) if self._attempt_of(entry, run.id) == run.attempt]
        owners = jobs_of_artifacts([str(entry["name"]) for entry in artifacts], [str(job["name"]) for job in jobs])
        by_name = {str(job["name"]): job for job in jobs}
        for entry in artifacts:
            name = str(entry["name"])
            owner = owners.get(name)
            yield RemoteFile(
                name=f"artifact-{entry['id']}.zip",
                title=name,
                is_log=False,
                fields=_fields(by_name[owner]) if owner else {"job": name, "started_at": _first_start(jobs)},
                path=f"{self._base}/artifacts/{entry['id']}/zip",
                size=int(entry.get("size_in_bytes") or 0),
                expired=bool(entry.get("expired")),
            )
        for job in jobs:
            # Which of the artifacts repeats a log's results is not known for all: then it gives events only.
            repeats = len(owners) < len(artifacts)
            yield RemoteFile(
                name=f"job-{job['id']}.log",
                title=str(job["name"]),
                is_log=True,
                fields=_fields(job) | ({"log_results": "no"} if repeats else {}),
                path=f"{self._base}/jobs/{job['id']}/logs",
            )

    def _jobs(self, run: CiRun) -> list[Mapping[str, Any]]:
        """Return the jobs that ran in an attempt; those of an earlier one that a re-run took over are left out."""
        try:
            jobs = list(self._api.pages(f"{self._base}/runs/{run.id}/attempts/{run.attempt}/jobs", "jobs"))
        except Gone:
            return []
        return [
            job
            for job in jobs
            if job.get("conclusion") != "skipped" and int(job.get("run_attempt") or run.attempt) == run.attempt
        ]

    def _artifacts(self, run: CiRun) -> list[Mapping[str, Any]]:
        try:
            return list(self._api.pages(f"{self._base}/runs/{run.id}/artifacts", "artifacts"))
        except Gone:
            return []

    def _attempt_of(self, artifact: Mapping[str, Any], run_id: str) -> int:
        """Return the attempt during which an artifact was made: the list has those of all, and does not say it."""
        count = self._attempts.get(run_id, 1)
        if count == 1:
            return 1
        if run_id not in self._starts:
            self._starts[run_id] = [self._start(run_id, number) for number in range(1, count + 1)]
        # ISO 8601 in UTC, all of one form: text compares like time.
        made = str(artifact.get("created_at") or "")
        before = [number for number, start in enumerate(self._starts[run_id], start=1) if start and start <= made]
        return max(before, default=1)

    def _start(self, run_id: str, attempt: int) -> str:
        try:
            return str(self._api.get(f"{self._base}/runs/{run_id}/attempts/{attempt}").get("run_started_at") or "")
        except Gone:
            return ""


def _fields(job: Mapping[str, Any]) -> dict[str, str]:
    labels = " ".join(str(label).lower() for label in job.get("labels") or ())
    systems = {"ubuntu": "linux", "linux": "linux", "windows": "windows", "macos": "macos"}
    return {
        "job": str(job.get("name") or ""),
        "runner": str(job.get("runner_name") or ""),
        "os": next((system for word, system in systems.items() if word in labels), ""),
        "started_at": str(job.get("started_at") or ""),
    }


def _first_start(jobs: Sequence[Mapping[str, Any]]) -> str:
    return min((str(job["started_at"]) for job in jobs if job.get("started_at")), default="")


def jobs_of_artifacts(artifacts: Sequence[str], jobs: Sequence[str]) -> dict[str, str]:
    """Return which job made each artifact, as far as the names tell: the API does not.

    The only job made every artifact. Else it is the job that shares most words with an artifact's name, where one job
    alone does and no other artifact is as near to it.
    """
    if len(jobs) == 1:
        return dict.fromkeys(artifacts, jobs[0])
    owners: dict[str, str] = {}
    for artifact in artifacts:
        shared = {job: len(_words(artifact) & _words(job)) for job in jobs}
        most = max(shared.values(), default=0)
        nearest = [job for job, count in shared.items() if count == most]
        if most and len(nearest) == 1:
            owners[artifact] = nearest[0]
    taken = list(owners.values())
    return {artifact: job for artifact, job in owners.items() if taken.count(job) == 1}


def _words(name: str) -> set[str]:
    return set(re.findall(r"[a-z]+|\d+", name.lower()))
