"""`flakehunter fetch gitlab` against a server that answers like GitLab's REST API."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flakehunter.cli.app import main
from flakehunter.ingest.fetch.gitlab import group_of, service
from tests.databases import url_at

Query = Callable[..., list[tuple[Any, ...]]]
BASE = "/api/v4/projects/group%2Fapp"
PIPELINES = f"{BASE}/pipelines?per_page=100&scope=finished&order_by=id&sort=desc"
TRACE = b"section_start:1767607200:step_script\r\x1b[0K$ pytest\nkilled pid 9 with SIGKILL\n"
REPORT = {
    "test_suites": [
        {
            "name": "lint",
            "test_cases": [
                {"status": "success", "name": "ok", "classname": "L", "file": "l.py", "execution_time": 0.5},
                {
                    "status": "failed",
                    "name": "no",
                    "classname": "L",
                    "system_output": "E  assert \x00",
                    "stack_trace": "at l",
                },
                {"status": "skipped", "name": "later", "classname": "L"},
                {"status": "error", "name": "boom", "classname": "L", "system_output": "boom"},
            ],
        }
    ]
}


def job(number: int, name: str, *kinds: str) -> dict[str, Any]:
    return {
        "id": number,
        "name": name,
        "stage": "test",
        "started_at": "2026-05-01T10:00:00.000Z",
        "runner": {"description": "shared-1"},
        "artifacts": [{"file_type": kind, "size": 400} for kind in kinds],
    }


def archive(outcome: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        file.writestr(
            "junit.xml", f'<testsuite name="s"><testcase classname="C" name="t">{outcome}</testcase></testsuite>'
        )
    return stream.getvalue()


@pytest.fixture
def gitlab(service: Any, blobs: Any, answer: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Return a GitLab with one pipeline: a job that was retried, and one that kept its report only."""
    monkeypatch.setenv("GITLAB_TOKEN", "t0ken")
    monkeypatch.setenv("FLAKEHUNTER_DB", url_at(tmp_path / "a.db"))
    monkeypatch.chdir(tmp_path)
    pipeline = {"id": 7, "sha": "c7", "ref": "main", "status": "failed", "updated_at": "2026-05-01T11:00:00Z"}
    service.json(PIPELINES, [pipeline])
    jobs = [
        job(3, "lint", "junit", "trace"),
        job(2, "unit", "archive", "trace"),
        job(1, "unit", "archive", "trace"),
        job(4, "manual") | {"started_at": None},
    ]
    service.json(f"{BASE}/pipelines/7/jobs?per_page=100&include_retried=true", jobs)
    service.json(f"{BASE}/pipelines/7/test_report", REPORT)
    for number, outcome in ((1, "<failure/>"), (2, "")):
        service.give(f"{BASE}/jobs/{number}/artifacts", answer(302, headers={"Location": f"{blobs.url}/{number}"}))
        blobs.give(f"/{number}", answer(body=archive(outcome)))
    for number in (1, 2, 3):
        service.give(f"{BASE}/jobs/{number}/trace", answer(body=TRACE))
    return service


RESULTS = (
    "SELECT u.external_id, u.attempt, u.job, t.name, r.outcome FROM results r JOIN runs u ON u.id = r.run_id"
    " JOIN test_cases t ON t.id = r.test_case_id ORDER BY 3, 2, 4"
)


def test_archives_reports_and_logs_of_all_attempts(gitlab: Any, blobs: Any, tmp_path: Path, query: Query) -> None:
    assert main(["fetch", "gitlab", "group/app", "--url", gitlab.url]) == 0
    url = url_at(tmp_path / "a.db")
    assert query(url, RESULTS) == [
        ("7", 1, "lint", "boom", "errored"),
        ("7", 1, "lint", "later", "skipped"),
        ("7", 1, "lint", "no", "failed"),
        ("7", 1, "lint", "ok", "passed"),
        ("7", 1, "unit", "t", "failed"),
        ("7", 2, "unit", "t", "passed"),
    ]
    assert query(url, "SELECT DISTINCT provider, commit_sha, branch, runner, workflow FROM runs") == [
        ("gitlab", "c7", "main", "shared-1", "test")
    ]
    assert query(url, "SELECT count(*), min(pid), max(kind) FROM log_events") == [(3, 9, "kill")]
    assert {asked.headers.get("private-token") for asked in gitlab.asked} == {"t0ken"}
    assert not any("private-token" in asked.headers for asked in blobs.asked), "the object store is somebody else"


def test_a_pipeline_is_looked_at_again_when_a_job_was_retried(gitlab: Any) -> None:
    arguments = ["fetch", "gitlab", "group/app", "--url", f"{gitlab.url}/"]
    assert main(arguments) == 0
    gitlab.paths()
    assert main(arguments) == 0
    assert gitlab.paths() == [PIPELINES]
    gitlab.json(PIPELINES, [{"id": 7, "sha": "c7", "ref": "main", "updated_at": "2026-05-01T12:00:00Z"}])
    assert main(arguments) == 0
    assert gitlab.paths() == [PIPELINES, f"{BASE}/pipelines/7/jobs?per_page=100&include_retried=true"]


@pytest.mark.parametrize(
    ("environment", "base", "headers"),
    [
        ({"GITLAB_TOKEN": "a", "CI_JOB_TOKEN": "b"}, "https://gitlab.com/api/v4", {"PRIVATE-TOKEN": "a"}),
        ({"CI_JOB_TOKEN": "b", "CI_API_V4_URL": "https://g/api/v4"}, "https://g/api/v4", {"JOB-TOKEN": "b"}),
        ({}, "https://gitlab.com/api/v4", {}),
    ],
)
def test_server_and_token_come_from_the_environment(
    environment: dict[str, str], base: str, headers: dict[str, str]
) -> None:
    found = service(environment)
    assert (found.base, dict(found.headers)) == (base, headers)


@pytest.mark.parametrize(
    ("name", "group"), [("unit", "unit"), ("unit 1/3", "unit"), ("unit: [a, b]", "unit"), ("a/b", "a/b")]
)
def test_parallel_jobs_are_one_in_the_report(name: str, group: str) -> None:
    assert group_of(name) == group
