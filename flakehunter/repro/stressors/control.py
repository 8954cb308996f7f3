"""`control`: the tracing supervisor without any delay, since being traced shifts the timing by itself."""

import os
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from flakehunter.errors import UsageError
from flakehunter.repro.stressors.base import Capability
from flakehunter.repro.trial import TrialSpec


def probe_ptrace() -> Capability:
    """Trace a child of this process for a moment."""
    from flakehunter.repro import ptrace

    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(writer)
        os.read(reader, 1)
        os._exit(0)
    os.close(reader)
    try:
        ptrace.seize(pid)
    except OSError as error:
        return Capability(usable=False, reason=f"ptrace is not allowed here: {error.strerror}")
    else:
        return Capability(usable=True)
    finally:
        os.kill(pid, 9)
        os.close(writer)
        while os.WIFSTOPPED(os.waitpid(pid, ptrace.WALL)[1]):
            ptrace.go_on(pid)


@dataclass(frozen=True, slots=True)
class Control:
    """Traces the trial and delays nothing."""

    usage: ClassVar[str] = "control"
    summary: ClassVar[str] = "the tracing supervisor without a delay, to compare delays with"
    needs: ClassVar[str] = "ptrace of own children"
    side_effects: ClassVar[str] = ""
    spec: ClassVar[str] = "control"

    @classmethod
    def parse(cls, argument: str) -> Self:
        """Take no argument."""
        if argument:
            raise UsageError(f"control takes no argument, but got {argument!r}", hint="write control")
        return cls()

    @classmethod
    def probe(cls) -> Capability:
        """Trace a child for a moment."""
        return probe_ptrace()

    def apply(self, trial: TrialSpec) -> TrialSpec:
        """Have the supervisor trace."""
        return replace(trial, trace=True)
