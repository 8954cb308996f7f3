"""`quota:PCT`: the trial may use PCT percent of one CPU, as on a small CI container; by a cgroup, version 2 or 1."""

from dataclasses import dataclass, replace
from typing import ClassVar, Self

from flakehunter.repro.rooms import here
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
        """Ask the room of this system."""
        return here.can("quota")

    def apply(self, trial: TrialSpec) -> TrialSpec:
        """Set the quota."""
        return replace(trial, quota_percent=self.percent)
