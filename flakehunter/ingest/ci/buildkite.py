"""Buildkite: https://buildkite.com/docs/pipelines/environment-variables."""

from collections.abc import Mapping

from flakehunter.db.rows import RunRow
from flakehunter.ingest.ci import number

NAME = "buildkite"


def detect(environment: Mapping[str, str]) -> RunRow | None:
    """Return what the variables say of the run; None outside of Buildkite."""
    get = environment.get
    if get("BUILDKITE") != "true":
        return None
    return RunRow(
        provider=NAME,
        external_id=get("BUILDKITE_BUILD_ID", ""),
        workflow=get("BUILDKITE_PIPELINE_SLUG", ""),
        job=get("BUILDKITE_STEP_KEY") or get("BUILDKITE_LABEL", ""),
        attempt=number(get("BUILDKITE_RETRY_COUNT"), 0) + 1,
        commit=get("BUILDKITE_COMMIT", ""),
        branch=get("BUILDKITE_BRANCH", ""),
        runner=get("BUILDKITE_AGENT_NAME", ""),
    )
