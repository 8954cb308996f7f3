"""GitHub Actions: https://docs.github.com/actions/reference/variables-reference."""

from collections.abc import Mapping

from flakehunter.db.rows import RunRow
from flakehunter.ingest.ci import number

NAME = "github"


def detect(environment: Mapping[str, str]) -> RunRow | None:
    """Return what the variables say of the run; None outside of GitHub Actions."""
    get = environment.get
    if get("GITHUB_ACTIONS") != "true":
        return None
    return RunRow(
        provider=NAME,
        external_id=get("GITHUB_RUN_ID", ""),
        workflow=get("GITHUB_WORKFLOW", ""),
        job=get("GITHUB_JOB", ""),
        attempt=number(get("GITHUB_RUN_ATTEMPT")),
        commit=get("GITHUB_SHA", ""),
        branch=get("GITHUB_HEAD_REF") or get("GITHUB_REF_NAME", ""),
        runner=get("RUNNER_NAME", ""),
        os=get("RUNNER_OS", "").lower(),
    )
