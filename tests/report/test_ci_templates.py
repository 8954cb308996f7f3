"""The GitHub action, the GitLab template and the Jenkins example: their steps are run as a runner would run them."""

import json
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml
from check_jsonschema.builtin_schemas import get_builtin_schema
from jsonschema.validators import validator_for

ROOT = Path(__file__).resolve().parents[2]
SCHEMAS = {"action.yml": "github-actions", "examples/ci/gitlab-ci.yml": "gitlab-ci"}
PAGES = {"buildkite": "buildkite", "circleci": "circle-ci", "azure": "azure-pipelines", "gitlab": "gitlab-ci"}
"""Pages of docs/ci, and the schema of the service, as its own editor plugins use it."""

JUNIT = """<testsuites><testsuite name="pytest" timestamp="2026-11-0{day}T08:00:00">
<testcase classname="tests.test_group" name="test_abort" time="0.2">{failure}</testcase>
<testcase classname="tests.test_group" name="test_healthy" time="0.1"/>
</testsuite></testsuites>"""
FAILURE = '<failure type="AssertionError" message="process 4242 is still alive">assert not alive(4242)</failure>'


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """Make the work folder of a CI job: the JUnit files of twelve runs at six commits, one test flaky."""
    for run in range(12):
        folder = tmp_path / "test-results" / f"{run // 2:040x}" / f"{run}-1" / "linux"
        folder.mkdir(parents=True)
        failure = FAILURE if run % 4 == 1 else ""
        (folder / "junit.xml").write_text(JUNIT.format(day=1 + run // 2, failure=failure), encoding="utf-8")
    return tmp_path


def environment(folder: Path, **more: str) -> dict[str, str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {"PATH": path, "HOME": str(folder), "LANG": "C.UTF-8", **more}


def bash(script: str, folder: Path, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a script as GitHub and GitLab do: stop at the first command that fails."""
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
        check=False, cwd=folder, env=dict(env), capture_output=True, text=True, timeout=250,
    )  # fmt: skip


class Action:
    """A runner of composite actions, as far as ours needs one."""

    def __init__(self, folder: Path, inputs: Mapping[str, str]) -> None:
        self.folder = folder
        self.document: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
        unknown = set(inputs) - set(self.document["inputs"])
        assert not unknown
        self.inputs = {name: inputs.get(name, about.get("default")) for name, about in self.document["inputs"].items()}
        self.files = {name: folder / name.lower() for name in ("GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT")}
        self.used: list[tuple[str, dict[str, str]]] = []

    def value(self, text: str) -> str:
        return re.sub(r"\$\{\{ inputs\.([\w-]+) \}\}", lambda found: self.inputs[found[1]], text)

    def wanted(self, step: Mapping[str, Any]) -> bool:
        if "if" not in step:
            return True
        name, sign, value = re.fullmatch(r"inputs\.([\w-]+) (==|!=) '(.*)'", step["if"]).groups()  # type: ignore[union-attr]
        return (self.inputs[name] == value) == (sign == "==")

    def run(self) -> int:
        for step in self.document["runs"]["steps"]:
            if not self.wanted(step):
                continue
            if "uses" in step:
                self.used.append((step["uses"], {name: self.value(text) for name, text in step["with"].items()}))
                continue
            assert step["shell"] == "bash"
            assert "${{" not in step["run"], "an expression inside a script would be code"
            env = {name: self.value(text) for name, text in step["env"].items()}
            known = {name: str(path) for name, path in self.files.items()}
            done = bash(step["run"], self.folder, environment(self.folder, CI="true", **known, **env))
            if done.returncode:
                self.output = done.stdout + done.stderr
                return done.returncode
        return 0

    def outputs(self) -> dict[str, str]:
        return dict(line.split("=", 1) for line in self.files["GITHUB_OUTPUT"].read_text().splitlines())


HISTORY = {"artifacts": "test-results\n", "layout": "{commit}/{run_id}-{attempt}/{job}/**", "install": ""}


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_action_ingests_reports_decides_and_takes_no_input_for_code(workspace: Path) -> None:
    site = "my site `touch owned`"
    action = Action(
        workspace, {**HISTORY, "project": "a; touch owned; $(touch owned)", "site": site, "fail-on": "flaky"}
    )
    assert action.run() == 1, "a test is flaky, and it was asked to fail then"
    assert action.outputs() == {"index": f"{site}/index.html", "flaky": "1"}
    assert (workspace / site / "index.html").is_file()
    summary = action.files["GITHUB_STEP_SUMMARY"].read_text(encoding="utf-8")
    assert "\n\n1 test is flaky." in summary
    assert action.used == [("actions/upload-artifact@v4", {"name": "flakehunter-report", "path": site})]
    assert set(action.document["outputs"]) == set(action.outputs())
    assert not list(workspace.rglob("owned"))


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_gitlab_template_and_jenkins_example_run(workspace: Path) -> None:
    document = yaml.safe_load((ROOT / "examples/ci/gitlab-ci.yml").read_text(encoding="utf-8"))
    job = document["flakehunter"]
    jenkins = (ROOT / "examples/ci/Jenkinsfile").read_text(encoding="utf-8")
    of_jenkins = re.findall(r"sh '([^']*)'", jenkins[jenkins.index("post {") :])
    assert len(of_jenkins) == 2
    env = environment(workspace, **document["variables"], FLAKEHUNTER_INGEST_LAYOUT=HISTORY["layout"])
    for line in [*job["script"], *document["pages"]["script"], *of_jenkins]:
        done = bash(line, workspace, env)
        assert done.returncode == 0, done.stderr
    (finding,) = json.loads((workspace / job["artifacts"]["reports"]["codequality"]).read_text(encoding="utf-8"))
    assert set(finding) == {"description", "check_name", "fingerprint", "severity", "location"}
    assert "test_abort is flaky" in finding["description"]
    assert (workspace / "public/index.html").is_file()
    assert (workspace / "public/badge.svg").is_file()
    assert (workspace / "flakehunter.md").read_text(encoding="utf-8").startswith("## Flaky tests")


def violations(document: Any, name: str) -> list[str]:
    schema = get_builtin_schema(f"vendor.{name}")
    return [error.message[:200] for error in validator_for(schema)(schema).iter_errors(document)]


@pytest.mark.parametrize("path", SCHEMAS)
def test_file_fits_the_schema_of_its_service(path: str) -> None:
    assert violations(yaml.safe_load((ROOT / path).read_text(encoding="utf-8")), SCHEMAS[path]) == []


@pytest.mark.parametrize("page", PAGES)
def test_page_shows_what_fits_the_schema_of_its_service(page: str) -> None:
    (block,) = re.findall(r"(?ms)^```yaml\n(.*?)^```", (ROOT / f"docs/ci/{page}.md").read_text(encoding="utf-8"))
    assert violations(yaml.safe_load(block), PAGES[page]) == []


def test_github_page_shows_a_workflow() -> None:
    (block,) = re.findall(r"(?ms)^```yaml\n(.*?)^```", (ROOT / "docs/ci/github.md").read_text(encoding="utf-8"))
    assert violations({"on": "push", **yaml.safe_load(block)}, "github-workflows") == []


def test_a_schema_finds_what_is_wrong() -> None:
    document = yaml.safe_load((ROOT / "examples/ci/gitlab-ci.yml").read_text(encoding="utf-8"))
    document["flakehunter"]["artifacts"]["reports"]["codequality"] = 7
    assert violations(document, "gitlab-ci")


SERVICES = {
    "buildkite": {"BUILDKITE": "true", "BUILDKITE_BUILD_ID": "b1", "BUILDKITE_LABEL": "test", "BUILDKITE_COMMIT": "c1"},
    "circleci": {"CIRCLECI": "true", "CIRCLE_WORKFLOW_ID": "w1", "CIRCLE_JOB": "test", "CIRCLE_SHA1": "c1"},
    "azure": {"TF_BUILD": "True", "BUILD_BUILDID": "7", "SYSTEM_JOBDISPLAYNAME": "test", "BUILD_SOURCEVERSION": "c1"},
}


@pytest.mark.parametrize("service", SERVICES)
def test_ingest_line_of_the_page_knows_its_run(service: str, tmp_path: Path) -> None:
    """Run the line of the page that ingests, in the service's environment."""
    folder = tmp_path / "test-results"
    folder.mkdir()
    (folder / "junit.xml").write_text(JUNIT.format(day=1, failure=""), encoding="utf-8")
    page = (ROOT / f"docs/ci/{service}.md").read_text(encoding="utf-8")
    (line,) = set(re.findall(r"(?m)^[ -]*(flakehunter ingest [^`\n]*)$", page))
    done = bash(line, tmp_path, environment(tmp_path, **SERVICES[service]))
    assert done.returncode == 0, done.stderr
    with closing(sqlite3.connect(tmp_path / ".flakehunter/flakehunter.db")) as connection:
        runs = connection.execute("SELECT provider, job, commit_sha FROM runs").fetchall()
    assert runs == [(service, "test", "c1")]


def test_jenkinsfile_of_the_page_is_a_part_of_the_example() -> None:
    (block,) = re.findall(r"(?ms)^```groovy\n(.*?)^```", (ROOT / "docs/ci/jenkins.md").read_text(encoding="utf-8"))
    example = (ROOT / "examples/ci/Jenkinsfile").read_text(encoding="utf-8")
    assert example.count("{") == example.count("}")
    shown = re.findall(r"sh '([^']*)'", block)
    assert shown
    assert set(shown) <= set(re.findall(r"sh '([^']*)'", example))


def test_pre_commit_hook_finds_and_passes(tmp_path: Path) -> None:
    """Run the hook's entry as pre-commit does: with the changed files of its types as arguments."""
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    assert set(hook) == {"id", "name", "description", "entry", "language", "types_or", "require_serial"}
    assert hook["language"] == "python"
    (tmp_path / "test_a.py").write_text(
        "import os, signal\n\n\ndef test_kill():\n"
        "    os.kill(pid, signal.SIGTERM)\n    assert not os.path.exists(f'/proc/{pid}')\n"
    )
    (tmp_path / "test_b.py").write_text("def test_nothing():\n    assert True\n")
    env = environment(tmp_path)
    found = bash(f"{hook['entry']} test_a.py test_b.py", tmp_path, env)
    assert found.returncode == 1
    assert "check-before-exit" in found.stdout
    assert bash(f"{hook['entry']} test_b.py", tmp_path, env).returncode == 0
