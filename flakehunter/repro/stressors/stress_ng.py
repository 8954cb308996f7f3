"""`stress-ng:ARGS`: the program stress-ng(1) beside the test, with arguments of the user's."""

import shlex
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from flakehunter.errors import UsageError
from flakehunter.repro.rooms import here
from flakehunter.repro.stressors.base import Capability
from flakehunter.repro.trial import Load, TrialSpec

PROGRAM = "stress-ng"


@dataclass(frozen=True, slots=True)
class StressNg:
    """Runs stress-ng in a session of its own until the trial ends."""

    usage: ClassVar[str] = "stress-ng:ARGS"
    summary: ClassVar[str] = "stress-ng beside the test, such as 'stress-ng:--cpu 8 --io 2'"
    needs: ClassVar[str] = "stress-ng"
    side_effects: ClassVar[str] = "what its arguments ask for, while a trial runs"
    arguments: tuple[str, ...] = ()

    @classmethod
    def parse(cls, argument: str) -> Self:
        """Take the arguments as a shell would."""
        try:
            words = shlex.split(argument)
        except ValueError as error:
            raise UsageError(f"stress-ng:{argument}: {error}", hint="quote it as for a shell") from error
        if not words:
            raise UsageError("stress-ng needs arguments", hint="write 'stress-ng:--cpu 8'")
        return cls(tuple(words))

    @property
    def spec(self) -> str:
        """Return it in full."""
        return f"stress-ng:{shlex.join(self.arguments)}"

    @classmethod
    def probe(cls) -> Capability:
        """Ask the room of this system."""
        return here.can("stress-ng")

    def apply(self, trial: TrialSpec) -> TrialSpec:
        """Add it to what runs beside the test."""
        return replace(trial, loads=(*trial.loads, Load("command", argv=(PROGRAM, "--quiet", *self.arguments))))
