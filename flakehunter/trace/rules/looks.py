"""Looks at a process, or at what it holds, that no edge orders after its end.

A look is ordered when the looker has, before it, an edge from the victim's exit: its own wait that returned the pid, a
pidfd that polled readable, a message from one who knew, or a poll loop. What was learned while a pause was running does
not count: the look came because the time was over, not because of what was learned (docs/trace.md, "Ordering rules").
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from flakehunter.model import Mechanism
from flakehunter.trace.findings import Finding, milliseconds, name_of, too_far_apart
from flakehunter.trace.knowledge import FactKind
from flakehunter.trace.marks import Mark
from flakehunter.trace.processes import Look, LookKind, Process
from flakehunter.trace.watch_resources import MONITORING_ROUNDS, ROUND_S
from flakehunter.trace.world import World

__all__ = ["Trigger", "find", "trigger_of"]

END_OF_OUTPUT = "end of output"
_SEES_ZOMBIES = (LookKind.KILL, LookKind.PROC)
_RESOURCES = (LookKind.PORT, LookKind.FILE)
_LOCK_NAMES = re.compile(r"\.(?:pid|lock|lck|sock|socket)$|/lock$")


@dataclass(frozen=True, slots=True)
class Trigger:
    """Why somebody expects that a process ends."""

    time: float
    direct: bool
    """Whether the process itself was signalled, and not only somebody above it."""
    what: str
    mark: Mark | None = None


def find(world: World) -> Iterator[Finding]:
    """Yield the findings of all looks; looks of one looker at one thing are taken together."""
    together: dict[tuple[int, int, str], list[Look]] = defaultdict(list)
    for look in world.looks:
        together[look.looker.index, look.victim.index, look.target].append(look)
    for looks in together.values():
        finding = _decide(world, looks)
        if finding is not None:
            yield finding


def trigger_of(world: World, looker: Process, victim: Process, before: float) -> Trigger | None:
    """Return the first reason to expect the victim's end that came before that time; None when there was none."""
    for sent in world.sent_to(victim):
        if sent.time <= before:
            return Trigger(sent.time, True, sent.signal, sent.mark)
    delivery = victim.delivered(before=before)
    if delivery is not None:
        return Trigger(delivery.time, True, delivery.signal)
    ended = world.ends_of_output.get((looker.index, victim.index))
    if ended is not None and ended <= before:
        return Trigger(ended, True, END_OF_OUTPUT)
    return _trigger_above(world, looker, victim, before)


def _trigger_above(world: World, looker: Process, victim: Process, before: float) -> Trigger | None:
    own = {looker.index, *(above.index for above in looker.ancestors()), 0}
    for above in victim.ancestors():
        if above.index in own:
            continue
        for sent in world.sent_to(above):
            # Signals to its parent before it was born say nothing of it.
            if victim.spawned <= sent.time <= before:
                return Trigger(sent.time, False, sent.signal, sent.mark)
    return None


def _decide(world: World, looks: list[Look]) -> Finding | None:
    """Return the finding for looks of one looker at one thing, if there is one."""
    if _is_monitor(world, looks):
        return None
    asked: list[Look] = []
    for look in looks:
        trigger = trigger_of(world, look.looker, look.victim, look.time) or _port_of_the_dead(look)
        if trigger is None or _is_no_resource(look, trigger) or _waits_for_it_later(look):
            continue
        asked.append(look)
        if _ordered(look):
            return None
        if _is_polling(look) or _waits_on(world, look, trigger) or (not look.alive and len(asked) > 1):
            return None
        if not look.alive:
            return None if _is_long_after(look) else _finding(look, trigger)
    if len(asked) != 1 or asked[0].victim.exited is None or _sees_release_later(asked[0]):
        return None
    if world.has_failed(asked[0].looker, asked[0].time):
        trigger = trigger_of(world, asked[0].looker, asked[0].victim, asked[0].time)
        return _finding(asked[0], trigger) if trigger else None
    return None


def _is_long_after(look: Look) -> bool:
    """Tell whether the end was so long ago, and not because of a pause, that nothing raced."""
    ended = look.victim.exited
    return ended is not None and too_far_apart(look.time - ended, look.pause)


def _is_monitor(world: World, looks: list[Look]) -> bool:
    """Tell whether the looker has looked again and again before anybody ended the process: it would look on."""
    looker, victim = looks[0].looker, looks[0].victim
    seen = [look.time for look in looks if look.alive] + victim.listed.get(looker.index, [])
    rounds, last = 0, 0.0
    for time in sorted(seen):
        if trigger_of(world, looker, victim, time) is not None:
            break
        rounds += time - last > ROUND_S
        last = time
    return rounds >= MONITORING_ROUNDS


def _port_of_the_dead(look: Look) -> Trigger | None:
    """A port that is bound again after its holder's end needs no signal to be a race."""
    ended = look.victim.exited
    if look.kind is not LookKind.PORT or ended is None or ended > look.time:
        return None
    return Trigger(ended, True, "its end")


def _is_no_resource(look: Look, trigger: Trigger) -> bool:
    """A file that its creator neither removes nor makes because of the signal says nothing of the creator's life."""
    if look.kind is LookKind.RESULT:
        return not trigger.time < look.victim.created.get(look.target, 0.0) < look.time
    if look.kind is not LookKind.FILE:
        return False
    removed = look.victim.removed.get(look.target)
    return removed < trigger.time if removed is not None else _LOCK_NAMES.search(look.target) is None


def _waits_for_it_later(look: Look) -> bool:
    """The looker itself reaps the process afterwards, waits at its pidfd, or as a subreaper until nobody is left.

    What it saw before has decided nothing yet.
    """
    victim = look.victim
    if look.kind not in (LookKind.PROC, LookKind.PROC_STATE):
        return False
    reaps = victim.reaped_by is look.looker and victim.reaped is not None and victim.reaped > look.time
    return reaps or look.looker.awaited.get(victim.index, 0.0) > look.time


def _sees_release_later(look: Look) -> bool:
    """The looker found it alive, and went on to wait until a file of the process was gone."""
    facts = ((FactKind.RELEASED, look.victim.index, path) for path in look.victim.created)
    return any((look.looker.knowledge.get(fact) or 0.0) > look.time for fact in facts)


def _is_polling(look: Look) -> bool:
    return look.mark is not None and (look.mark.timeout_s is not None or look.mark.in_loop)


def _waits_on(world: World, look: Look, trigger: Trigger) -> bool:
    """Tell whether it is a round of a wait with a deadline, where no hook tells that.

    Who reads what a child writes with a deadline (poll(2) with a time-out) waits for its end with what is left of it,
    as CPython's Popen.communicate(timeout) does; the first round is the last one where the child is quick.
    """
    if look.kind is not LookKind.WAIT or look.mark is not None or trigger.what != END_OF_OUTPUT:
        return False
    return any(
        wait.waiter is look.looker and look.victim.spawned <= wait.start <= look.time < wait.expiry
        for wait in world.waits
    )


def _ordered(look: Look) -> bool:
    if look.kind is LookKind.FILE and _knew(look, FactKind.RELEASED, look.target):
        return True
    if look.kind is LookKind.RESULT and _knew(look, FactKind.CREATED, look.target):
        return True
    if not _knew(look, FactKind.EXIT):
        return False
    return look.kind not in _SEES_ZOMBIES or _knew(look, FactKind.REAP)


def _knew(look: Look, kind: FactKind, detail: str = "") -> bool:
    """Tell whether what the looker knew of the victim can be why it looked."""
    return look.looker.knows(kind, look.victim, detail, at=look.time, pause=look.pause)


def _finding(look: Look, trigger: Trigger) -> Finding:
    mechanism = _mechanism(look, trigger)
    ended = _end_for(look, mechanism)
    slack = look.time - ended if ended is not None else None
    return Finding(
        mechanism=mechanism,
        victim=look.victim,
        looker=look.looker,
        text=_text(look, trigger, mechanism, slack),
        slack_s=slack,
        signalled=trigger.time,
        looked=look.time,
        look_kind=look.kind.value,
        look_mark=look.mark,
        signal_mark=trigger.mark,
    )


def _mechanism(look: Look, trigger: Trigger) -> Mechanism:
    if look.kind in _RESOURCES:
        return Mechanism.RESOURCE_STILL_HELD
    saw_zombie = look.alive and look.victim.exited is not None and look.victim.exited < look.time
    if look.kind in _SEES_ZOMBIES and (saw_zombie or _knew(look, FactKind.EXIT)):
        return Mechanism.ZOMBIE_COUNTED_ALIVE
    if not trigger.direct:
        return Mechanism.SURVIVOR
    if look.pause is not None and look.pause.end >= trigger.time:
        return Mechanism.FIXED_SLEEP
    return Mechanism.CHECK_BEFORE_EXIT


def _end_for(look: Look, mechanism: Mechanism) -> float | None:
    """Return the moment that the look had to come after."""
    if mechanism is Mechanism.ZOMBIE_COUNTED_ALIVE:
        return look.victim.reaped
    if look.kind is LookKind.RESULT:
        return look.victim.created.get(look.target)
    return look.victim.removed.get(look.target, look.victim.exited)


def _text(look: Look, trigger: Trigger, mechanism: Mechanism, slack: float | None) -> str:
    how = f"{look.kind.value} {look.target}".strip()
    after = milliseconds(look.time - trigger.time)
    paused = look.pause is not None and look.pause.end >= trigger.time
    pause = f", {milliseconds(look.pause.length_s)} of it a pause" if look.pause is not None and paused else ""
    subject = f"{name_of(look.victim)} was looked at ({how}) {after} after {trigger.what}{pause}"
    if mechanism is Mechanism.RESOURCE_STILL_HELD:
        subject = f"what {name_of(look.victim)} held ({how}) was used {after} after {trigger.what}{pause}"
    elif mechanism is Mechanism.SURVIVOR:
        left = f"it had left its group by {look.victim.left_group}" if look.victim.left_group else "it got none itself"
        subject = (
            f"{name_of(look.victim)} was looked at ({how}) {after} after {trigger.what} to a process above; {left}"
        )
    elif look.kind is LookKind.RESULT:
        subject = f"the {how} of {name_of(look.victim)} was looked for {after} after {trigger.what}{pause}"
    edge = "its making" if look.kind is LookKind.RESULT else "its end"
    edge = "its reaping" if mechanism is Mechanism.ZOMBIE_COUNTED_ALIVE else edge
    if slack is None:
        return f"{subject}; nothing orders the look after {edge}, which did not come in this run"
    if slack < 0:
        return f"{subject}, {milliseconds(-slack)} too early: nothing orders the look after {edge}"
    return f"{subject}; nothing orders the look after {edge}, which came {milliseconds(slack)} before"
