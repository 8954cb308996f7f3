"""CircleCI: https://circleci.com/docs/variables/. A rerun is a new workflow of the same pipeline."""

from collections.abc import Mapping

from flakehunter.db.rows import RunRow

NAME = "circleci"


def detect(environment: Mapping[str, str]) -> RunRow | None:
    """Return what the variables say of the run; None outside of CircleCI."""
    get = environment.get
    if get("CIRCLECI") != "true":
        return None
    return RunRow(
        provider=NAME,
        external_id=get("CIRCLE_WORKFLOW_ID") or get("CIRCLE_BUILD_NUM", ""),
        workflow=get("CIRCLE_PIPELINE_ID", ""),
        job=_job(environment),
        commit=get("CIRCLE_SHA1", ""),
        branch=get("CIRCLE_BRANCH") or get("CIRCLE_TAG", ""),
    )


def _job(environment: Mapping[str, str]) -> str:
    """Return the job's name, with the node's number where its tests are split over several."""
    job = environment.get("CIRCLE_JOB", "")
    nodes, node = environment.get("CIRCLE_NODE_TOTAL", "1"), environment.get("CIRCLE_NODE_INDEX", "0")
    return f"{job} {node}" if nodes not in ("", "1") else job
