"""A finding: one look, signal, wait or assignment of the run that only luck put in the right order."""

from dataclasses import dataclass

from flakehunter.model import Mechanism
from flakehunter.trace.marks import Mark
from flakehunter.trace.processes import LookKind, Process, Wake
from flakehunter.trace.windows import Window

__all__ = ["FIXES", "LONGEST_SLACK_S", "Finding", "milliseconds", "name_of", "too_far_apart"]

LONGEST_SLACK_S = 2.0
"""Events that are further apart, with no pause of that length that was meant to part them, do not race: this is longer
than the ladder of `repro` is long, and several times what one death in ten needs under the heaviest load measured."""


def too_far_apart(apart_s: float, pause: Wake | None) -> bool:
    """Tell whether two events are too far apart to race; `pause` is the one that came before the later of them."""
    return apart_s > LONGEST_SLACK_S and (pause is None or pause.length_s < LONGEST_SLACK_S)


@dataclass(frozen=True, slots=True)
class Finding:
    """What was not ordered; times are seconds since the epoch, None where there was no such event."""

    mechanism: Mechanism
    victim: Process
    looker: Process
    text: str
    slack_s: float | None
    """How much later the event could have been before the run had shown it; negative when it did show it."""
    signalled: float | None = None
    looked: float | None = None
    look_kind: str = ""
    look_mark: Mark | None = None
    signal_mark: Mark | None = None
    window: Window | None = None
    """The test that it happened in; None when the runner made no marks, or it is about the whole run."""

    @property
    def slack_to_reap_s(self) -> float | None:
        """Return the time from the reaping to the look; None when one is missing, or the look was the reaping."""
        if self.looked is None or self.victim.reaped is None or self.look_kind == LookKind.WAIT:
            return None
        return self.looked - self.victim.reaped


def milliseconds(seconds: float | None) -> str:
    """Return a duration for a sentence."""
    return "unknown" if seconds is None else f"{seconds * 1000:.1f} ms"


def name_of(process: Process) -> str:
    """Return how a sentence calls a process: its pid and a short command line."""
    command = process.command
    return f"process {process.pid} ({command if len(command) <= 60 else command[:57] + '...'})"


FIXES = {
    Mechanism.CHECK_BEFORE_EXIT: "look until a deadline, with a pause between looks, or wait on the process",
    Mechanism.ZOMBIE_COUNTED_ALIVE: "wait as the parent or subreaper, or take state Z for ended",
    Mechanism.FIXED_SLEEP: "look until a deadline instead of after a constant pause",
    Mechanism.SIGNAL_BEFORE_READY: "wait for a line by which the process says that it is ready",
    Mechanism.ASSIGN_AFTER_EXIT: "create the process inside its container or suspended, and tolerate its exit",
    Mechanism.SURVIVOR: "signal what left the group too, or use a group that cannot be left (cgroup, namespace)",
    Mechanism.RESOURCE_STILL_HELD: "wait until it is released: try again until a deadline",
    Mechanism.DEADLINE_TOO_SHORT: "give it a deadline of many times the time to death under load",
}
"""What to do about each mechanism, as a fragment of a sentence."""
