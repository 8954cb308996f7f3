"""Bitbucket Pipelines: https://support.atlassian.com/bitbucket-cloud/docs/variables-and-secrets/."""

from collections.abc import Mapping

from flakehunter.db.rows import RunRow
from flakehunter.ingest.ci import number

NAME = "bitbucket"


def detect(environment: Mapping[str, str]) -> RunRow | None:
    """Return what the variables say of the run; None outside of Bitbucket Pipelines."""
    get = environment.get
    if not get("BITBUCKET_BUILD_NUMBER"):
        return None
    return RunRow(
        provider=NAME,
        external_id=get("BITBUCKET_PIPELINE_UUID", "").strip("{}") or get("BITBUCKET_BUILD_NUMBER", ""),
        workflow=get("BITBUCKET_REPO_SLUG", ""),
        job=get("BITBUCKET_STEP_UUID", "").strip("{}"),
        attempt=number(get("BITBUCKET_STEP_RUN_NUMBER")),
        commit=get("BITBUCKET_COMMIT", ""),
        branch=get("BITBUCKET_BRANCH") or get("BITBUCKET_TAG", ""),
    )
