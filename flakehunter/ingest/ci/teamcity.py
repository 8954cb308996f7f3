"""TeamCity: https://www.jetbrains.com/help/teamcity/predefined-build-parameters.html."""

from collections.abc import Mapping

from flakehunter.db.rows import RunRow

NAME = "teamcity"


def detect(environment: Mapping[str, str]) -> RunRow | None:
    """Return what the variables say of the run; None outside of TeamCity."""
    get = environment.get
    if not get("TEAMCITY_VERSION"):
        return None
    return RunRow(
        provider=NAME,
        external_id=get("TEAMCITY_BUILD_ID") or get("BUILD_NUMBER", ""),
        workflow=get("TEAMCITY_PROJECT_NAME", ""),
        job=get("TEAMCITY_BUILDCONF_NAME", ""),
        commit=get("BUILD_VCS_NUMBER", ""),
        branch=get("TEAMCITY_BUILD_BRANCH", ""),
    )
