"""What can no longer matter leaves a long trace: memory follows what is alive, not how long a suite is.

Nothing is forgotten in a trace of a few thousand processes. In a longer one, from time to time, processes go that have
ended and were reaped before the oldest test that still runs began (without tests: a minute ago), with all that is known
of them. They are judged before, by the same rules; who could still become a finding, because the run may fail, stays.
"""

from collections.abc import Iterable
from typing import Any

from flakehunter.trace.findings import Finding
from flakehunter.trace.knowledge import Fact, FactKind, Knowledge
from flakehunter.trace.processes import Process
from flakehunter.trace.reader import Record
from flakehunter.trace.rules import find_all
from flakehunter.trace.rules.deadlines import Endings
from flakehunter.trace.rules.survivors import SURVIVOR_GRACE_S
from flakehunter.trace.world import World

__all__ = ["MOST_EVENTS", "MOST_PROCESSES", "Forgetting"]

MOST_PROCESSES = 5_000
"""As long as there are fewer, none is forgotten, and the document lists all of them."""
MOST_EVENTS = 100_000
"""Looks and waits that are kept at most before it is seen what can go."""
WITHOUT_TESTS_S = 60.0
"""How long a process is remembered after its end where nobody says when a test begins and ends."""
AFTER_A_TEST_S = 2 * SURVIVOR_GRACE_S
"""How long after a test it may still have consequences."""


class Forgetting:
    """Feeds a world, and makes it forget when it holds much."""

    def __init__(self, world: World, *, processes: int = MOST_PROCESSES, events: int = MOST_EVENTS) -> None:
        self.world = world
        self._least = self._limits = (processes, events)

    def consume_all(self, records: Iterable[Record]) -> None:
        """Move the world on by some records, and forget what can go if there is much."""
        world = self.world
        world.consume_all(records)
        if len(world.processes) < self._limits[0] and len(world.looks) + len(world.waits) < self._limits[1]:
            return
        self._forget()
        # Half of it has to be new before the next time, else all of it would be judged again and again.
        self._limits = (
            max(self._least[0], 2 * len(world.processes)),
            max(self._least[1], 2 * (len(world.looks) + len(world.waits))),
        )

    def _forget(self) -> None:
        world = self.world
        horizon = self._horizon()
        world.assumed_failed = True
        failed = find_all(world)
        world.assumed_failed = False
        passed = find_all(world)
        world.assumed_failed = None
        open_ones = {finding.victim.index for finding in _difference(failed, passed)}
        gone = {one.index: one for one in world.processes[1:] if one.index not in open_ones and _is_over(one, horizon)}
        before = {_key(finding) for finding in world.settled}
        world.settled = [one for one in passed if _key(one) in before or one.victim.index in gone]
        _drop_events(world, gone, horizon)
        _drop_facts(world, gone, horizon)
        world.drop(gone)

    def _horizon(self) -> float:
        """Return the time before which all that happened was of tests that are over."""
        world = self.world
        last = world.last or 0.0
        if not len(world.windows):
            return last - WITHOUT_TESTS_S
        return min(world.windows.earliest_open(), last) - AFTER_A_TEST_S


def _difference(some: list[Finding], others: list[Finding]) -> list[Finding]:
    known = {_key(finding) for finding in others}
    return [finding for finding in some if _key(finding) not in known]


def _key(finding: Finding) -> tuple[str, int, int]:
    return finding.mechanism, finding.victim.index, finding.looker.index


def _is_over(process: Process, horizon: float) -> bool:
    """Tell whether a process has ended long enough ago, and its pid is free."""
    if process.exited is None or process.exited >= horizon:
        return False
    if process.reaped is not None:
        return process.reaped < horizon
    # An orphan that init has reaped: nobody in the trace can see it as a zombie.
    return process.adopted_by is None and (process.parent is None or process.parent.exited is not None)


def _drop_events(world: World, gone: dict[int, Process], horizon: float) -> None:
    endings = Endings(world)
    waits = []
    for wait in world.waits:
        victim = endings.during(wait)
        if wait.end >= horizon or (victim is not None and victim.index not in gone):
            waits.append(wait)
    world.waits = waits
    world.looks = [look for look in world.looks if look.victim.index not in gone]
    world.sent = [sent for sent in world.sent if sent.victim.index not in gone]
    world.assignments = [one for one in world.assignments if one.target.index not in gone]
    since = min([horizon, *(wait.start for wait in waits)])
    for tid, wakes in list(world.wakes.items()):
        world.wakes[tid] = [wake for wake in wakes[:-1] if wake.end >= since] + wakes[-1:]
        if tid not in world.threads and wakes[-1].end < since:
            del world.wakes[tid]


def _drop_facts(world: World, gone: dict[int, Process], horizon: float) -> None:
    lost: set[Knowledge] = {process.knowledge for process in gone.values()}
    released = {
        path: process
        for process in world.processes
        for path, time in process.removed.items()
        if time < horizon and process.index not in gone
    }
    for path, process in released.items():
        del process.removed[path]
        creator = world.creators.pop(path, None)
        if creator is not None:
            creator.created.pop(path, None)
    world.creators = {path: creator for path, creator in world.creators.items() if creator.index not in gone}

    def is_over(fact: Fact) -> bool:
        kind, index, detail = fact
        return index in gone or (kind in (FactKind.CREATED, FactKind.RELEASED) and detail not in world.creators)

    for process in world.processes:
        if process.index in gone:
            continue
        process.knowledge.forget(is_over, lost)
        process.by_signal.forget(lost)
        of_others: list[dict[int, Any]] = [process.listed, process.asked, process.awaited, process.deadlines]
        for seen in of_others:
            for index in [index for index in seen if index in gone]:
                del seen[index]
    dropped: set[str] = set()
    for name, channel in list(world.channels.items()):
        channel.writers = {index for index in channel.writers if index not in gone}
        channel.heard.forget(lost)
        if name.startswith(("pipe:", "socket:")):
            is_idle = channel.used < horizon or not (channel.writers or len(channel.heard))
        else:
            is_idle = name not in world.creators and not name.startswith("port ")
        if is_idle:
            del world.channels[name]
            dropped.add(name)
    world.peers = {end: name for end, name in world.peers.items() if name not in dropped}
