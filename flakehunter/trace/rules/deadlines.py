"""Waits for an end that have a deadline which a loaded machine would miss."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from itertools import accumulate, islice
from math import inf

from flakehunter.model import Mechanism
from flakehunter.trace.findings import Finding, milliseconds, name_of
from flakehunter.trace.knowledge import FactKind
from flakehunter.trace.predict import MEASURED
from flakehunter.trace.processes import Look, Process, Wait
from flakehunter.trace.world import World

__all__ = ["STRESSED_DEATH_S", "Endings", "find"]

STRESSED_DEATH_S = max(kind.p90_ms for kind in MEASURED) / 1000
"""Under the heaviest load that was measured, one process in ten needs longer than this from the signal to its end."""
LARGEST_SHARE = 0.5
"""A wait that needed more than this share of its deadline has no reserve for a loaded machine."""
NOTICE_S = 0.1
"""How soon after a process's end a wait that is about it comes back."""


def find(world: World) -> Iterator[Finding]:
    """Yield the waits after a signal whose deadline is too short, or ran out."""
    yield from _polled(world)
    endings = Endings(world)
    for wait in world.waits:
        victim = endings.during(wait)
        if victim is None or endings.expired_later(wait) or _is_heartbeat(world, wait, victim):
            continue
        finding = _judge(world, wait.waiter, victim, wait.start, wait.end, wait.timeout_s, None)
        if finding is not None:
            yield finding


def _is_heartbeat(world: World, wait: Wait, victim: Process) -> bool:
    """Tell whether it is one of a row of times that has nothing to do with the victim, and was called off in the end.

    Such a time begins when the one before it runs out. It is no deadline if the signal came later, or if its thread has
    nothing to do with processes: an input and output thread that tries to connect again, say.
    """
    return wait.follows and (wait.by_stranger or all(sent.time > wait.start for sent in world.sent_to(victim)))


def _polled(world: World) -> Iterator[Finding]:
    """Waits that are loops of WNOHANG looks, with the deadline that a hook told of."""
    together: dict[tuple[int, int, float], list[Look]] = defaultdict(list)
    for look in world.looks:
        if look.mark is not None and look.mark.timeout_s is not None:
            together[look.looker.index, look.victim.index, look.mark.timeout_s].append(look)
    for (_, _, timeout), looks in together.items():
        first, last = looks[0], looks[-1]
        if not last.alive:
            finding = _judge(world, first.looker, first.victim, first.time, last.time, timeout, last)
        elif _gave_up(world, last):
            finding = _judge(world, first.looker, first.victim, first.time, first.time + timeout, timeout, last)
        else:
            continue
        if finding is not None:
            yield finding


def _gave_up(world: World, last: Look) -> bool:
    """Tell whether the time ran out and the waiter did nothing about it: who then sends a harder signal waits on."""
    return not any(sent.time > last.time for sent in world.sent_to(last.victim))


def _judge(
    world: World, waiter: Process, victim: Process, start: float, end: float, timeout: float, look: Look | None
) -> Finding | None:
    signal = next((sent for sent in world.sent_to(victim) if sent.time <= end), None)
    used = end - start
    too_short = timeout < STRESSED_DEATH_S or used > LARGEST_SHARE * timeout
    if signal is None or timeout <= 0 or not too_short:
        return None
    ran_out = used >= timeout
    what = "ran out" if ran_out else f"needed {milliseconds(used)}"
    return Finding(
        mechanism=Mechanism.DEADLINE_TOO_SHORT,
        victim=victim,
        looker=waiter,
        text=f"the wait for {name_of(victim)} after {signal.signal} had a deadline of {milliseconds(timeout)} "
        f"and {what}; under load, one process in ten needs more than {milliseconds(STRESSED_DEATH_S)}",
        slack_s=(start + timeout - (victim.exited or end)) if not ran_out or victim.exited else None,
        signalled=signal.time,
        looked=end,
        look_kind="wait with a deadline",
        look_mark=look.mark if look is not None else None,
        signal_mark=signal.mark,
    )


class Endings:
    """When the processes ended that were signalled, and when the pauses of a thread: to find them among thousands."""

    def __init__(self, world: World) -> None:
        first = {sent.victim.index: (order, sent) for order, sent in reversed([*enumerate(world.sent)])}
        ended = [
            (sent.victim.exited, order, sent.time, sent.victim)
            for order, sent in first.values()
            if sent.victim.exited is not None
        ]
        self._ended = sorted(ended, key=lambda one: one[:2])
        self._wakes = world.wakes
        self._earliest: dict[int, list[float]] = {}

    def during(self, wait: Wait) -> Process | None:
        """Return the process whose end made the wait come back; None when it was something else."""
        found = []
        # The end of its output comes a little before a process's end, and may be what ended the wait.
        earliest = max(wait.start, wait.end - NOTICE_S)
        position = bisect_left(self._ended, earliest, key=lambda one: one[0])
        for exited, order, first, victim in islice(self._ended, position, None):
            if exited > wait.end + NOTICE_S:
                break
            learned = wait.waiter.knowledge.get((FactKind.EXIT, victim.index, ""))
            if first <= wait.end and learned is not None and learned <= max(wait.end, exited) + NOTICE_S:
                found.append((order, victim))
        return min(found, key=lambda one: one[0])[1] if found else None

    def expired_later(self, wait: Wait) -> bool:
        """Tell whether that time did run out afterwards: then it was a pause, since a kept deadline is called off."""
        wakes = self._wakes.get(wait.tid, [])
        armed = self._earliest.get(wait.tid)
        if armed is None:
            # When the earliest of the pauses from here on was armed.
            times = [wake.armed if wake.pause else inf for wake in reversed(wakes)]
            armed = self._earliest[wait.tid] = [*accumulate(times, min)][::-1]
        position = bisect_left(wakes, wait.expiry - NOTICE_S / 20, key=lambda wake: wake.end)
        return position < len(armed) and armed[position] <= wait.end
