"""Buildbot has no variables of its own; these are the names its documentation gives to properties passed as env."""

from collections.abc import Mapping

from flakehunter.db.rows import RunRow

NAME = "buildbot"


def detect(environment: Mapping[str, str]) -> RunRow | None:
    """Return what the variables say of the run; None outside of Buildbot."""
    get = environment.get
    if not get("BUILDBOT_BUILDNUMBER") and not get("BUILDBOT_BUILDID"):
        return None
    return RunRow(
        provider=NAME,
        external_id=get("BUILDBOT_BUILDID") or get("BUILDBOT_BUILDNUMBER", ""),
        workflow=get("BUILDBOT_PROJECT", ""),
        job=get("BUILDBOT_BUILDERNAME", ""),
        commit=get("BUILDBOT_GOT_REVISION") or get("BUILDBOT_REVISION", ""),
        branch=get("BUILDBOT_BRANCH", ""),
        runner=get("BUILDBOT_WORKERNAME", ""),
    )
