"""Jenkins: https://www.jenkins.io/doc/book/pipeline/jenkinsfile/#using-environment-variables."""

from collections.abc import Mapping

from flakehunter.db.rows import RunRow

NAME = "jenkins"


def detect(environment: Mapping[str, str]) -> RunRow | None:
    """Return what the variables say of the run; None outside of Jenkins."""
    get = environment.get
    if not (get("JENKINS_URL") or get("JENKINS_HOME")) or not get("BUILD_ID"):
        return None
    return RunRow(
        provider=NAME,
        external_id=get("BUILD_TAG") or get("BUILD_ID", ""),
        workflow=get("JOB_NAME", ""),
        job=get("STAGE_NAME") or get("JOB_BASE_NAME", ""),
        commit=get("GIT_COMMIT", ""),
        branch=(get("CHANGE_BRANCH") or get("BRANCH_NAME") or get("GIT_BRANCH", "")).removeprefix("origin/"),
        runner=get("NODE_NAME", ""),
    )
