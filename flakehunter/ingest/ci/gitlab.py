"""GitLab CI/CD: https://docs.gitlab.com/ci/variables/predefined_variables/."""

from collections.abc import Mapping

from flakehunter.db.rows import RunRow
from flakehunter.ingest.ci import number

NAME = "gitlab"


def detect(environment: Mapping[str, str]) -> RunRow | None:
    """Return what the variables say of the run; None outside of GitLab CI."""
    get = environment.get
    if get("GITLAB_CI") != "true":
        return None
    return RunRow(
        provider=NAME,
        external_id=get("CI_PIPELINE_ID", ""),
        workflow=get("CI_PIPELINE_NAME", ""),
        job=get("CI_JOB_NAME", ""),
        attempt=number(get("CI_JOB_ATTEMPT")),
        commit=get("CI_COMMIT_SHA", ""),
        branch=get("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME") or get("CI_COMMIT_REF_NAME", ""),
        runner=get("CI_RUNNER_DESCRIPTION", ""),
        os=get("CI_RUNNER_EXECUTABLE_ARCH", "").partition("/")[0],
    )
