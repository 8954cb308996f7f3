"""Drone and its fork Woodpecker: https://docs.drone.io/pipeline/environment/reference/, https://woodpecker-ci.org/docs/usage/environment."""

from collections.abc import Mapping

from flakehunter.db.rows import RunRow

NAME = "woodpecker"


def detect(environment: Mapping[str, str]) -> RunRow | None:
    """Return what the variables say of the run; None outside of Drone and Woodpecker."""
    get = environment.get
    if get("DRONE") != "true" and get("CI") != "woodpecker":
        return None
    return RunRow(
        provider=NAME,
        external_id=get("CI_PIPELINE_NUMBER") or get("DRONE_BUILD_NUMBER", ""),
        workflow=get("CI_WORKFLOW_NAME") or get("DRONE_STAGE_NAME", ""),
        job=get("CI_STEP_NAME") or get("DRONE_STEP_NAME", ""),
        commit=get("CI_COMMIT_SHA") or get("DRONE_COMMIT_SHA", ""),
        branch=get("CI_COMMIT_SOURCE_BRANCH")
        or get("CI_COMMIT_BRANCH")
        or get("DRONE_SOURCE_BRANCH")
        or get("DRONE_BRANCH", ""),
        runner=get("CI_MACHINE") or get("DRONE_RUNNER_HOST", ""),
        os=get("DRONE_STAGE_OS", ""),
    )
