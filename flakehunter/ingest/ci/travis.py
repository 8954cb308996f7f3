"""Travis CI: https://docs.travis-ci.com/user/environment-variables/."""

from collections.abc import Mapping

from flakehunter.db.rows import RunRow

NAME = "travis"


def detect(environment: Mapping[str, str]) -> RunRow | None:
    """Return what the variables say of the run; None outside of Travis CI."""
    get = environment.get
    if get("TRAVIS") != "true":
        return None
    return RunRow(
        provider=NAME,
        external_id=get("TRAVIS_BUILD_ID", ""),
        workflow=get("TRAVIS_REPO_SLUG", ""),
        job=get("TRAVIS_JOB_NAME") or get("TRAVIS_JOB_NUMBER", "").rpartition(".")[2],
        commit=get("TRAVIS_PULL_REQUEST_SHA") or get("TRAVIS_COMMIT", ""),
        branch=get("TRAVIS_PULL_REQUEST_BRANCH") or get("TRAVIS_BRANCH", ""),
        os=get("TRAVIS_OS_NAME", ""),
    )
