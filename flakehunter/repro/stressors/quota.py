"""`quota:PCT`: the trial may use PCT percent of one CPU, as on a small CI container; by a cgroup, version 2 or 1."""

from dataclasses import dataclass, replace
from typing import ClassVar, Self

from flakehunter.repro.quota import make_quota
from flakehunter.repro.stressors.base import Capability, parse_percent
from flakehunter.repro.trial import TrialSpec

MOST_PERCENT = 10_000


@dataclass(frozen=True, slots=True)
class CpuQuota:
    """Gives the trial a share of one CPU in each 100 ms; what it has used up it waits for."""

    usage: ClassVar[str] = "quota:PCT"
    summary: ClassVar[str] = "the trial may use PCT percent of one CPU"
    needs: ClassVar[str] = "a cgroup with the cpu controller that may be written (root, or delegated)"
    side_effects: ClassVar[str] = "a cgroup for each trial, removed with it"
    percent: float = 10.0

    @classmethod
    def parse(cls, argument: str) -> Self:
        """Take percent of one CPU; without it, 10."""
        return cls(parse_percent(argument or "10", cls.usage, most=MOST_PERCENT))

    @property
    def spec(self) -> str:
        """Return `quota:PCT`."""
        return f"quota:{self.percent:g}"

    @classmethod
    def probe(cls) -> Capability:
        """Make such a cgroup and remove it."""
        try:
            errors = make_quota(10.0).remove()
        except OSError as error:
            return Capability(usable=False, reason=f"no cgroup with a quota can be made: {error.strerror}")
        return Capability(usable=not errors, reason="; ".join(errors))

    def apply(self, trial: TrialSpec) -> TrialSpec:
        """Set the quota."""
        return replace(trial, quota_percent=self.percent)
