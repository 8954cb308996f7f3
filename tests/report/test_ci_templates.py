"""The GitHub action, the GitLab template and the Jenkins example: their steps are run as a runner would run them."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
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
        check=False, cwd=folder, env=dict(env), capture_output=True, text=True, timeout=120,
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
    assert len(of_jenkins) == 3
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
