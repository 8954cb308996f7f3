"""Cirrus CI: https://cirrus-ci.org/guide/writing-tasks/#environment-variables."""

from collections.abc import Mapping

from flakehunter.db.rows import RunRow

NAME = "cirrus"


def detect(environment: Mapping[str, str]) -> RunRow | None:
    """Return what the variables say of the run; None outside of Cirrus CI."""
    get = environment.get
    if get("CIRRUS_CI") != "true":
        return None
    return RunRow(
        provider=NAME,
        external_id=get("CIRRUS_BUILD_ID", ""),
        workflow=get("CIRRUS_REPO_FULL_NAME", ""),
        job=get("CIRRUS_TASK_NAME", ""),
        commit=get("CIRRUS_CHANGE_IN_REPO", ""),
        branch=get("CIRRUS_BRANCH", ""),
        os=get("CIRRUS_OS", ""),
    )
