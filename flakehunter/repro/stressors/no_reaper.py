"""`no-reaper`: orphans stay zombies until the trial ends, as in a container whose PID 1 reaps nobody."""

from dataclasses import dataclass, replace
from typing import ClassVar, Self

from flakehunter.repro.stressors.base import Capability, no_argument
from flakehunter.repro.trial import TrialSpec

FOREVER_MS = 86_400_000.0
"""A day: no trial is that long."""


@dataclass(frozen=True, slots=True)
class NoReaper:
    """Has the supervisor, to whom orphans come, reap none of them before the end."""

    usage: ClassVar[str] = "no-reaper"
    summary: ClassVar[str] = "orphans stay zombies, as in a container without an init"
    needs: ClassVar[str] = ""
    side_effects: ClassVar[str] = ""
    spec: ClassVar[str] = "no-reaper"

    @classmethod
    def parse(cls, argument: str) -> Self:
        """Take no argument."""
        no_argument(cls.usage, argument)
        return cls()

    @classmethod
    def probe(cls) -> Capability:
        """Work everywhere: the supervisor is a child subreaper in any case."""
        return Capability(usable=True)

    def apply(self, trial: TrialSpec) -> TrialSpec:
        """Put reaping off."""
        return replace(trial, reap_delay_ms=FOREVER_MS)
