"""What a CI service's environment tells of the run, one adapter a service, behind one interface."""

from collections.abc import Mapping
from typing import Protocol

from flakehunter.db.rows import RunRow


class Adapter(Protocol):
    """Reads one service's documented variables."""

    NAME: str

    def detect(self, environment: Mapping[str, str]) -> RunRow | None:
        """Return what the variables say of the run; None outside of this service."""


def from_environment(environment: Mapping[str, str]) -> RunRow | None:
    """Return the run that a CI service's variables describe; None outside of every service known."""
    from flakehunter.ingest.ci import (
        azure,
        bitbucket,
        buildbot,
        buildkite,
        circleci,
        cirrus,
        github,
        gitlab,
        jenkins,
        teamcity,
        travis,
        woodpecker,
    )

    # Self-hosted ones come last: their names are the least special.
    adapters: tuple[Adapter, ...] = (
        github,
        gitlab,
        buildkite,
        circleci,
        azure,
        travis,
        cirrus,
        bitbucket,
        woodpecker,
        teamcity,
        jenkins,
        buildbot,
    )
    for adapter in adapters:
        run = adapter.detect(environment)
        if run is not None:
            return run
    return None


def number(text: str | None, default: int = 1) -> int:
    """Read a positive number that a service wrote; `default` where it wrote none."""
    return int(text) if text and text.isdigit() and int(text) > 0 else default
