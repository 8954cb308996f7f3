"""`flakehunter fetch github` against a server that answers like GitHub's REST API."""

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flakehunter.cli.app import main
from flakehunter.ingest.fetch.github import jobs_of_artifacts
from tests.databases import url_at

Query = Callable[..., list[tuple[Any, ...]]]
BASE = "/repos/o/r/actions"
LOG = """2026-05-01T10:00:00.0000000Z ============================= test session starts ==============================
2026-05-01T10:00:01.0000000Z tests/test_a.py::test_from_{name} PASSED                                   [100%]
2026-05-01T10:00:01.0000000Z tests/test_a.py::test_in_both PASSED                                   [100%]
2026-05-01T10:00:02.0000000Z sent SIGKILL to pid 77
2026-05-01T10:00:02.0000000Z ============================== 2 passed in 0.10s ===============================
"""


def archive(*names: str) -> bytes:
    cases = "".join(f'<testcase classname="tests.test_a" name="{name}" time="0.1"/>' for name in names)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        file.writestr("reports/junit.xml", f'<testsuite name="pytest">{cases}</testsuite>')
    return stream.getvalue()


def run_entry(number: int, attempt: int = 1) -> dict[str, Any]:
    return {
        "id": number,
        "name": "ci",
        "head_sha": f"c{number}",
        "head_branch": "main",
        "run_attempt": attempt,
        "status": "completed",
        "run_started_at": "2026-05-01T10:00:00Z",
    }


def job_entry(number: int, name: str, attempt: int = 1, conclusion: str = "success") -> dict[str, Any]:
    return {
        "id": number,
        "name": name,
        "run_attempt": attempt,
        "conclusion": conclusion,
        "labels": ["ubuntu-latest"],
        "runner_name": "runner-1",
        "started_at": f"2026-05-01T1{attempt}:00:00Z",
    }


def artifact_entry(number: int, name: str, attempt: int = 1, *, expired: bool = False) -> dict[str, Any]:
    created = f"2026-05-01T1{attempt}:30:00Z"
    return {"id": number, "name": name, "size_in_bytes": 500, "expired": expired, "created_at": created}


class GitHub:
    """Sets up what the server knows."""

    def __init__(self, service: Any, blobs: Any, answer: Any) -> None:
        self.service, self.blobs, self.answer = service, blobs, answer
        self._runs: list[dict[str, Any]] = []

    def run(self, entry: dict[str, Any], jobs: dict[int, list[Any]], artifacts: list[Any]) -> None:
        """Add a run: the jobs of each attempt, and its artifacts."""
        self._runs.insert(0, entry)
        runs = {"total_count": len(self._runs), "workflow_runs": self._runs}
        self.service.json(f"{BASE}/runs?per_page=100&status=completed", runs)
        for attempt, listed in jobs.items():
            path = f"{BASE}/runs/{entry['id']}/attempts/{attempt}"
            self.service.json(path, {"run_started_at": f"2026-05-01T1{attempt}:00:00Z"})
            self.service.json(f"{path}/jobs?per_page=100", {"total_count": len(listed), "jobs": listed})
            for job in listed:
                self.service.give(f"{BASE}/jobs/{job['id']}/logs", self._redirect(f"/log-{job['id']}"))
                self.blobs.give(f"/log-{job['id']}", self.answer(body=LOG.format(name=job["id"]).encode()))
        self.service.json(f"{BASE}/runs/{entry['id']}/artifacts?per_page=100", {"artifacts": artifacts})
        for artifact in artifacts:
            self.service.give(f"{BASE}/artifacts/{artifact['id']}/zip", self._redirect(f"/zip-{artifact['id']}"))
            names = ("test_in_both", f"test_{artifact['id']}")
            self.blobs.give(f"/zip-{artifact['id']}", self.answer(body=archive(*names)))

    def _redirect(self, path: str) -> Any:
        return self.answer(302, headers={"Location": self.blobs.url + path})


@pytest.fixture
def github(service: Any, blobs: Any, answer: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> GitHub:
    """Return a GitHub with one run of two jobs, and make it the one that is asked."""
    monkeypatch.setenv("GITHUB_API_URL", service.url)
    monkeypatch.setenv("GITHUB_TOKEN", "t0ken")
    monkeypatch.setenv("FLAKEHUNTER_DB", url_at(tmp_path / "a.db"))
    monkeypatch.chdir(tmp_path)
    server = GitHub(service, blobs, answer)
    jobs = [job_entry(1, "test (linux)"), job_entry(2, "test (mac)"), job_entry(3, "deploy", conclusion="skipped")]
    server.run(run_entry(10), {1: jobs}, [artifact_entry(5, "junit-linux"), artifact_entry(6, "junit-mac")])
    return server


RESULTS = (
    "SELECT u.external_id, u.attempt, u.job, t.name, a.kind FROM results r JOIN runs u ON u.id = r.run_id"
    " JOIN test_cases t ON t.id = r.test_case_id JOIN artifacts a ON a.id = r.artifact_id ORDER BY 1, 2, 3, 4"
)


def test_artifacts_and_logs_become_results_of_their_jobs(github: GitHub, tmp_path: Path, query: Query) -> None:
    assert main(["fetch", "github", "o/r"]) == 0
    url = url_at(tmp_path / "a.db")
    assert query(url, RESULTS) == [
        ("10", 1, "test (linux)", "test_5", "junit"),
        ("10", 1, "test (linux)", "test_from_1", "log"),
        ("10", 1, "test (linux)", "test_in_both", "junit"),
        ("10", 1, "test (mac)", "test_6", "junit"),
        ("10", 1, "test (mac)", "test_from_2", "log"),
        ("10", 1, "test (mac)", "test_in_both", "junit"),
    ]
    runs = query(url, "SELECT provider, workflow, commit_sha, branch, runner, os, started_at FROM runs WHERE id = 1")
    assert runs[0][:6] == ("github", "ci", "c10", "main", "runner-1", "linux")
    assert str(runs[0][6]).startswith("2026-05-01 11:00")
    assert query(url, "SELECT count(*) FROM log_events") == [(2,)]
    sent = {asked.headers.get("authorization") for asked in github.service.asked}
    assert sent == {"Bearer t0ken"}
    assert not any("authorization" in asked.headers for asked in github.blobs.asked)


def test_a_second_fetch_asks_for_what_is_new_only(
    github: GitHub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fetch", "github", "o/r"]) == 0
    github.service.paths()
    assert main(["fetch", "github", "o/r", "--json"]) == 0
    assert github.service.paths() == [f"{BASE}/runs?per_page=100&status=completed"]
    document = json.loads(capsys.readouterr().out)
    assert (document["runs"], document["new_runs"], document["files"]) == (1, 0, 0)
    assert (document["ingest"]["known_artifacts"], document["ingest"]["new_results"]) == (4, 0)
    github.run(run_entry(11), {1: [job_entry(21, "test (linux)")]}, [artifact_entry(25, "junit-linux")])
    assert main(["fetch", "github", "o/r", "--json"]) == 0
    assert not [path for path in github.service.paths() if "/runs/10" in path]
    assert json.loads(capsys.readouterr().out)["new_runs"] == 1


def test_a_fetch_that_breaks_off_goes_on_where_it_was(github: GitHub, capsys: pytest.CaptureFixture[str]) -> None:
    far = github.answer(403, b'{"message": "API rate limit exceeded"}', {"Retry-After": "7200"})
    path = f"{BASE}/artifacts/6/zip"
    good = github.service.answers[path][0]
    github.service.give(path, far)
    assert main(["fetch", "github", "o/r"]) == 6
    error = capsys.readouterr().err
    assert "GitHub asks to wait for 7200 s (rate limit (403 Forbidden))" in error
    assert "run the same command again later" in error
    github.service.give(path, good)
    github.service.paths()
    assert main(["fetch", "github", "o/r"]) == 0
    asked = github.service.paths()
    assert f"{BASE}/artifacts/5/zip" not in asked
    assert path in asked


def test_expired_artifacts_and_logs_are_told_and_not_asked_for_again(
    github: GitHub, capsys: pytest.CaptureFixture[str]
) -> None:
    github.run(run_entry(9), {1: [job_entry(31, "unit")]}, [artifact_entry(35, "junit", expired=True)])
    github.service.give(f"{BASE}/artifacts/6/zip", github.answer(410, b'{"message": "Artifact has expired"}'))
    github.service.give(f"{BASE}/jobs/31/logs", github.answer(404))
    assert main(["fetch", "github", "o/r"]) == 0
    assert "3 files are gone from the service" in capsys.readouterr().err
    github.service.paths()
    assert main(["fetch", "github", "o/r", "--runs", "5"]) == 0
    assert len(github.service.paths()) == 1


def test_attempts_of_a_run_are_kept_apart(github: GitHub, tmp_path: Path, query: Query) -> None:
    jobs = {1: [job_entry(41, "unit")], 2: [job_entry(42, "unit", 2), job_entry(43, "kept", 1)]}
    artifacts = [artifact_entry(45, "junit-1", 1), artifact_entry(46, "junit-2", 2)]
    github.run(run_entry(12, attempt=2), jobs, artifacts)
    assert main(["fetch", "github", "o/r", "--runs", "1", "--no-logs"]) == 0
    rows = query(url_at(tmp_path / "a.db"), RESULTS)
    assert [row[:4] for row in rows] == [
        ("12", 1, "unit", "test_45"),
        ("12", 1, "unit", "test_in_both"),
        ("12", 2, "unit", "test_46"),
        ("12", 2, "unit", "test_in_both"),
    ]


def test_logs_give_events_only_where_an_artifact_may_repeat_them(github: GitHub, tmp_path: Path, query: Query) -> None:
    jobs = {1: [job_entry(51, "unit"), job_entry(52, "lint")]}
    github.run(run_entry(13), jobs, [artifact_entry(55, "results")])
    assert main(["fetch", "github", "o/r", "--runs", "1"]) == 0
    rows = query(url_at(tmp_path / "a.db"), RESULTS)
    assert [row[2:] for row in rows] == [("results", "test_55", "junit"), ("results", "test_in_both", "junit")]
    assert query(url_at(tmp_path / "a.db"), "SELECT count(*) FROM log_events") == [(2,)]


def test_only_wanted_artifacts_are_downloaded(github: GitHub, capsys: pytest.CaptureFixture[str]) -> None:
    github.run(run_entry(14), {1: []}, [artifact_entry(65, "build"), artifact_entry(66, "junit-big")])
    listed = {"artifacts": [artifact_entry(65, "build"), artifact_entry(66, "junit-big") | {"size_in_bytes": 9 << 30}]}
    github.service.json(f"{BASE}/runs/14/artifacts?per_page=100", listed)
    arguments = ["fetch", "github", "o/r", "--artifact", "junit*", "--no-logs", "--max-size", "64"]
    assert main(arguments) == 0
    asked = github.service.paths()
    assert f"{BASE}/artifacts/5/zip" in asked
    assert not {f"{BASE}/artifacts/65/zip", f"{BASE}/artifacts/66/zip"} & set(asked)
    assert "left out junit-big of run 14 (9216 MiB)" in capsys.readouterr().err


def test_the_folder_can_be_ingested_by_itself(github: GitHub, tmp_path: Path, query: Query) -> None:
    assert main(["fetch", "github", "o/r", "--no-ingest", "--to", "kept"]) == 0
    assert not (tmp_path / "a.db").exists()
    assert main(["ingest", "kept"]) == 0
    assert query(url_at(tmp_path / "a.db"), "SELECT count(*), min(external_id) FROM runs") == [(2, "10")]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["o/none"], 4, "GitHub knows no o/none, or its token may not see it"),
        (["o"], 2, "'o' is no repository"),
        (["o/r", "--branch", "empty"], 4, "o/r has no finished run"),
        (["o/r", "--runs", "0"], 2, "invalid value for '--runs'"),
    ],
)
def test_wrong_input_is_told(
    arguments: list[str], code: int, message: str, github: GitHub, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = f"{BASE}/runs?per_page=100&status=completed&branch=empty"
    github.service.json(empty, {"total_count": 0, "workflow_runs": []})
    assert main(["fetch", "github", *arguments]) == code
    error = capsys.readouterr().err
    assert message in error.lower() or message in error
    assert "hint:" in error


@pytest.mark.parametrize(
    ("artifacts", "jobs", "owners"),
    [
        (["results"], ["unit"], {"results": "unit"}),
        (["a", "b"], ["unit"], {"a": "unit", "b": "unit"}),
        (["junit-3.11", "junit-3.12"], ["test (3.11)", "test (3.12)"], {"junit-3.11": "test (3.11)"}),
        (["results"], ["unit", "lint"], {}),
        (["unit-a", "unit-b"], ["unit", "lint"], {}),
    ],
    ids=["one-job", "one-job-two-artifacts", "matrix", "nothing-shared", "two-of-one-job"],
)
def test_the_job_of_an_artifact_is_told_by_names(artifacts: list[str], jobs: list[str], owners: dict[str, str]) -> None:
    found = jobs_of_artifacts(artifacts, jobs)
    assert {key: found[key] for key in owners} == owners
    assert len(found) in (len(owners), len(artifacts) if owners else 0)
