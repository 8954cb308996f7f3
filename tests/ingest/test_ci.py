"""The environment of each CI service names the run."""

import subprocess
from pathlib import Path

import pytest

from flakehunter.ingest.ci import from_environment
from flakehunter.ingest.runs import surroundings

ENVIRONMENTS = {
    "github": (
        {
            "GITHUB_ACTIONS": "true",
            "GITHUB_RUN_ID": "99",
            "GITHUB_RUN_ATTEMPT": "2",
            "GITHUB_WORKFLOW": "ci",
            "GITHUB_JOB": "unit",
            "GITHUB_SHA": "abc",
            "GITHUB_HEAD_REF": "topic",
            "GITHUB_REF_NAME": "12/merge",
            "RUNNER_OS": "Linux",
        },
        ("99", "ci", "unit", 2, "abc", "topic"),
    ),
    "gitlab": (
        {
            "GITLAB_CI": "true",
            "CI_PIPELINE_ID": "99",
            "CI_JOB_NAME": "unit",
            "CI_COMMIT_SHA": "abc",
            "CI_COMMIT_REF_NAME": "main",
        },
        ("99", "", "unit", 1, "abc", "main"),
    ),
    "jenkins": (
        {
            "JENKINS_URL": "http://ci",
            "BUILD_ID": "7",
            "BUILD_TAG": "jenkins-app-7",
            "JOB_NAME": "app",
            "STAGE_NAME": "unit",
            "GIT_COMMIT": "abc",
            "GIT_BRANCH": "origin/main",
        },
        ("jenkins-app-7", "app", "unit", 1, "abc", "main"),
    ),
    "buildkite": (
        {
            "BUILDKITE": "true",
            "BUILDKITE_BUILD_ID": "u-u-i-d",
            "BUILDKITE_PIPELINE_SLUG": "app",
            "BUILDKITE_LABEL": "unit",
            "BUILDKITE_RETRY_COUNT": "1",
            "BUILDKITE_COMMIT": "abc",
            "BUILDKITE_BRANCH": "main",
        },
        ("u-u-i-d", "app", "unit", 2, "abc", "main"),
    ),
    "circleci": (
        {
            "CIRCLECI": "true",
            "CIRCLE_WORKFLOW_ID": "w",
            "CIRCLE_JOB": "unit",
            "CIRCLE_NODE_TOTAL": "4",
            "CIRCLE_NODE_INDEX": "3",
            "CIRCLE_SHA1": "abc",
            "CIRCLE_BRANCH": "main",
        },
        ("w", "", "unit 3", 1, "abc", "main"),
    ),
    "azure": (
        {
            "TF_BUILD": "True",
            "BUILD_BUILDID": "5",
            "BUILD_DEFINITIONNAME": "ci",
            "AGENT_JOBNAME": "unit",
            "SYSTEM_JOBATTEMPT": "3",
            "BUILD_SOURCEVERSION": "abc",
            "BUILD_SOURCEBRANCH": "refs/heads/feature/x",
        },
        ("5", "ci", "unit", 3, "abc", "feature/x"),
    ),
    "travis": (
        {
            "TRAVIS": "true",
            "TRAVIS_BUILD_ID": "5",
            "TRAVIS_REPO_SLUG": "o/r",
            "TRAVIS_JOB_NUMBER": "12.3",
            "TRAVIS_COMMIT": "abc",
            "TRAVIS_BRANCH": "main",
        },
        ("5", "o/r", "3", 1, "abc", "main"),
    ),
    "cirrus": (
        {
            "CIRRUS_CI": "true",
            "CIRRUS_BUILD_ID": "5",
            "CIRRUS_REPO_FULL_NAME": "o/r",
            "CIRRUS_TASK_NAME": "unit",
            "CIRRUS_CHANGE_IN_REPO": "abc",
            "CIRRUS_BRANCH": "main",
        },
        ("5", "o/r", "unit", 1, "abc", "main"),
    ),
    "bitbucket": (
        {
            "BITBUCKET_BUILD_NUMBER": "5",
            "BITBUCKET_PIPELINE_UUID": "{p}",
            "BITBUCKET_REPO_SLUG": "r",
            "BITBUCKET_STEP_UUID": "{s}",
            "BITBUCKET_COMMIT": "abc",
            "BITBUCKET_BRANCH": "main",
        },
        ("p", "r", "s", 1, "abc", "main"),
    ),
    "woodpecker": (
        {
            "CI": "woodpecker",
            "CI_PIPELINE_NUMBER": "5",
            "CI_WORKFLOW_NAME": "ci",
            "CI_STEP_NAME": "unit",
            "CI_COMMIT_SHA": "abc",
            "CI_COMMIT_BRANCH": "main",
        },
        ("5", "ci", "unit", 1, "abc", "main"),
    ),
    "teamcity": (
        {
            "TEAMCITY_VERSION": "2025.1",
            "BUILD_NUMBER": "5",
            "TEAMCITY_PROJECT_NAME": "app",
            "TEAMCITY_BUILDCONF_NAME": "unit",
            "BUILD_VCS_NUMBER": "abc",
        },
        ("5", "app", "unit", 1, "abc", ""),
    ),
    "buildbot": (
        {
            "BUILDBOT_BUILDNUMBER": "5",
            "BUILDBOT_BUILDERNAME": "unit",
            "BUILDBOT_REVISION": "abc",
            "BUILDBOT_BRANCH": "main",
        },
        ("5", "", "unit", 1, "abc", "main"),
    ),
}


@pytest.mark.parametrize("provider", ENVIRONMENTS)
def test_documented_variables_name_the_run(provider: str) -> None:
    environment, expected = ENVIRONMENTS[provider]
    run = from_environment({"PATH": "/bin", "HOME": "/root", **environment})
    assert run is not None
    assert run.provider == provider
    assert (run.external_id, run.workflow, run.job, run.attempt, run.commit, run.branch) == expected


def test_outside_of_a_service_there_is_nothing() -> None:
    assert from_environment({"PATH": "/bin", "CI": "true"}) is None


def test_a_git_checkout_tells_the_commit(tmp_path: Path) -> None:
    git = ["git", "-C", str(tmp_path), "-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run([*git, "init", "-q", "-b", "trunk"], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "first"], check=True)
    run, origin = surroundings({}, tmp_path)
    assert len(run.commit) == 40
    assert run.branch == "trunk"
    assert origin == f"the git checkout {tmp_path}"


def test_without_a_checkout_nothing_is_known(tmp_path: Path) -> None:
    assert surroundings({}, tmp_path)[1] == ""
