"""GitLab CI: pipelines, artifacts and logs of jobs, and the test report where a job kept no archive.

https://docs.gitlab.com/api/pipelines/, /api/jobs/ and /api/job_artifacts/. The archive of a job may lie in an object
store, to which the API redirects. What `artifacts:reports:junit` names is in the archive only when `artifacts:paths`
has it too; else GitLab gives its content as a document of its own, the test report.
"""

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

from flakehunter.ingest.fetch.api import Api, Service
from flakehunter.ingest.fetch.runs import CiRun, RemoteFile

NAME = "gitlab"


def service(environment: Mapping[str, str] = os.environ, url: str | None = None) -> Service:
    """Return GitLab's API: `url` (the server's), or CI_API_V4_URL, or gitlab.com.

    The token is GITLAB_TOKEN, or the CI job's own from CI_JOB_TOKEN.
    """
    headers: dict[str, str] = {}
    if environment.get("GITLAB_TOKEN"):
        headers["PRIVATE-TOKEN"] = environment["GITLAB_TOKEN"]
    elif environment.get("CI_JOB_TOKEN"):
        headers["JOB-TOKEN"] = environment["CI_JOB_TOKEN"]
    base = f"{url.rstrip('/').removesuffix('/api/v4')}/api/v4" if url else environment.get("CI_API_V4_URL")
    hint = "set GITLAB_TOKEN to a token with the scope read_api"
    return Service("GitLab", (base or "https://gitlab.com/api/v4").rstrip("/"), headers, hint)


class GitLab:
    """The pipelines of one project."""

    name = NAME

    def __init__(self, api: Api, project: str, *, branch: str = "") -> None:
        self._api, self._branch = api, branch
        self._base = f"/projects/{quote(project.strip('/'), safe='')}"
        self._reports: dict[str, Mapping[str, Any]] = {}

    def runs(self) -> Iterator[list[CiRun]]:
        """Yield finished pipelines, newest first; a retried job is another attempt within the same pipeline."""
        found = self._api.pages(
            f"{self._base}/pipelines", scope="finished", order_by="id", sort="desc", ref=self._branch
        )
        for pipeline in found:
            fields = {
                "provider": NAME,
                "run_id": str(pipeline["id"]),
                "commit": str(pipeline.get("sha") or ""),
                "branch": str(pipeline.get("ref") or ""),
            }
            yield [CiRun(str(pipeline["id"]), 1, fields, version=str(pipeline.get("updated_at") or ""))]

    def files(self, run: CiRun) -> Iterator[RemoteFile]:
        """Yield archives, test reports and logs of a pipeline's jobs, the retried ones too."""
        listed = self._api.pages(f"{self._base}/pipelines/{run.id}/jobs", include_retried="true")
        jobs = sorted(listed, key=lambda job: int(job["id"]))
        attempts: Counter[str] = Counter()
        last = {str(job["name"]): job["id"] for job in jobs}
        reported: set[str] = set()
        for job in jobs:
            name = str(job["name"])
            attempts[name] += 1
            fields = _fields(job, attempts[name])
            kinds = {entry.get("file_type"): entry for entry in job.get("artifacts") or ()}
            path = f"{self._base}/jobs/{job['id']}"
            if "archive" in kinds:
                size = int(kinds["archive"].get("size") or 0)
                yield RemoteFile(f"artifact-{job['id']}.zip", name, False, fields, path=f"{path}/artifacts", size=size)
            elif "junit" in kinds and last[name] == job["id"] and group_of(name) not in reported:
                reported.add(group_of(name))
                yield self._report_of(run.id, job, fields)
            if job.get("started_at"):
                yield RemoteFile(f"job-{job['id']}.log", name, True, fields, path=f"{path}/trace")

    def _report_of(self, pipeline: str, job: Mapping[str, Any], fields: Mapping[str, str]) -> RemoteFile:
        group = group_of(str(job["name"]))

        def content() -> bytes | None:
            if pipeline not in self._reports:
                self._reports[pipeline] = self._api.get(f"{self._base}/pipelines/{pipeline}/test_report")
            suites = [suite for suite in self._reports[pipeline].get("test_suites", ()) if suite.get("name") == group]
            return junit_of(suites[0]) if suites else None

        return RemoteFile(f"report-{job['id']}.xml", str(job["name"]), False, fields, content=content)


def group_of(job: str) -> str:
    """Return the name under which the test report has a job: parallel ones (`unit 1/3`, `unit: [a, b]`) are one."""
    return re.sub(r"(?:\s+\d+/\d+|: \[.*\])$", "", job)


def _fields(job: Mapping[str, Any], attempt: int) -> dict[str, str]:
    runner = job.get("runner") or {}
    return {
        "job": str(job["name"]),
        "attempt": str(attempt),
        "workflow": str(job.get("stage") or ""),
        "runner": str(runner.get("description") or ""),
        "started_at": str(job.get("started_at") or ""),
    }


def junit_of(suite: Mapping[str, Any]) -> bytes:
    """Return a suite of a test report as JUnit XML."""
    root = ElementTree.Element("testsuite", name=str(suite.get("name") or ""))
    for case in suite.get("test_cases", ()):
        attributes = {
            "name": str(case.get("name") or ""),
            "classname": str(case.get("classname") or ""),
            "time": str(case.get("execution_time") or 0),
        }
        if case.get("file"):
            attributes["file"] = str(case["file"])
        element = ElementTree.SubElement(root, "testcase", attributes)
        tag = {"failed": "failure", "error": "error", "skipped": "skipped"}.get(str(case.get("status")))
        if tag:
            text = "\n".join(str(case[key]) for key in ("system_output", "stack_trace") if case.get(key))
            ElementTree.SubElement(element, tag).text = _allowed(text)
    return bytes(ElementTree.tostring(root, encoding="utf-8"))


def _allowed(text: str) -> str:
    """Return text without the control characters that XML forbids."""
    return re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]", "\ufffd", text)
