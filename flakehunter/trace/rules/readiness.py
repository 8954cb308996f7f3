"""Signals to a process of which the sender cannot know that it has set its handler."""

from collections.abc import Iterator

from flakehunter.model import Mechanism
from flakehunter.trace.findings import Finding, milliseconds, name_of, too_far_apart
from flakehunter.trace.knowledge import FactKind
from flakehunter.trace.processes import Sent
from flakehunter.trace.world import World

__all__ = ["find"]


def find(world: World) -> Iterator[Finding]:
    """Yield a finding for the first signal of a kind to a process whose own handler for it no edge orders before."""
    seen: set[tuple[int, str]] = set()
    for sent in world.sent:
        key = (sent.victim.index, sent.signal)
        if key in seen:
            continue
        seen.add(key)
        ready = _ready(sent)
        if ready is None or _knew(sent):
            continue
        slack = sent.time - ready
        if too_far_apart(slack, sent.pause):
            continue
        since_start = milliseconds(sent.time - sent.victim.spawned)
        when = f"{milliseconds(abs(slack))} {'after' if slack >= 0 else 'before'} it had set its handler"
        yield Finding(
            mechanism=Mechanism.SIGNAL_BEFORE_READY,
            victim=sent.victim,
            looker=sent.sender,
            text=f"{name_of(sent.victim)} got {sent.signal} {since_start} after its start and {when}; "
            "nothing orders the signal after that",
            slack_s=slack,
            signalled=sent.time,
            looked=sent.time,
            look_kind="signal",
            look_mark=sent.mark,
            signal_mark=sent.mark,
        )


def _knew(sent: Sent) -> bool:
    return sent.sender.knows(FactKind.READY, sent.victim, sent.signal, at=sent.time, pause=sent.pause)


def _ready(sent: Sent) -> float | None:
    """Return when the victim's present program had set its own handler; None when it has none that matters.

    Run-times such as Go's and Ruby's set handlers for all signals and then die of them: no handler of the program. And
    who is born with a handler, as the processes of a server that forks, does not die of a signal that comes early.
    """
    if sent.victim.killed_by == sent.signal or sent.signal in sent.victim.born_handling:
        return None
    program = sent.victim.executed or sent.victim.spawned
    times = [time for time, signal in sent.victim.installed if signal == sent.signal and time >= program]
    before = [time for time in times if time <= sent.time]
    return before[0] if before else (times[0] if times else None)
