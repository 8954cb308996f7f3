"""`io:N`: N processes write to the disk that holds the temporary folder, and wait for each block (fsync(2))."""

from dataclasses import dataclass, replace
from typing import ClassVar, Self

from flakehunter.errors import UsageError
from flakehunter.repro.rooms import here
from flakehunter.repro.stressors.base import Capability
from flakehunter.repro.trial import Load, TrialSpec

MOST_WRITERS = 64


@dataclass(frozen=True, slots=True)
class IoStress:
    """Keeps the disk busy."""

    usage: ClassVar[str] = "io:N"
    summary: ClassVar[str] = "N processes write and sync files in the temporary folder"
    needs: ClassVar[str] = ""
    side_effects: ClassVar[str] = "32 MiB on disk for each, while a trial runs"
    writers: int = 2

    @classmethod
    def parse(cls, argument: str) -> Self:
        """Take the number of writers; without it, 2."""
        if not argument:
            return cls()
        if not argument.isdecimal() or not 1 <= int(argument) <= MOST_WRITERS:
            raise UsageError(f"io:{argument}: not a number of processes", hint=f"write io:N, N up to {MOST_WRITERS}")
        return cls(int(argument))

    @property
    def spec(self) -> str:
        """Return `io:N`."""
        return f"io:{self.writers}"

    @classmethod
    def probe(cls) -> Capability:
        """Ask the room of this system."""
        return here.can("io")

    def apply(self, trial: TrialSpec) -> TrialSpec:
        """Add the writers."""
        return replace(trial, loads=(*trial.loads, Load("io", self.writers)))
