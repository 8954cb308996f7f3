"""What a process or a channel knows: facts, each with the time at which it was first learned.

Facts are only ever added, so whoever learned from another before has to take over what is new since: a long run has
thousands of facts, and reads and writes by the hundred thousand.
"""

from enum import StrEnum
from itertools import islice

__all__ = ["Fact", "FactKind", "Knowledge"]


class FactKind(StrEnum):
    """What one process can know of another."""

    EXIT = "exit"
    """The process has ended."""
    REAP = "reap"
    """Its parent has reaped it, so that its pid is free."""
    READY = "ready"
    """It has set its handler for a signal (named in the fact's detail)."""
    RELEASED = "released"
    """It has removed a file (named in the fact's detail)."""
    CREATED = "created"
    """It has made a file (named in the fact's detail)."""
    ASSIGNED = "assigned"
    """It was taken into a container."""


Fact = tuple[FactKind, int, str]
"""Kind, index of the process that it is about, and a detail."""


class Knowledge:
    """Facts in the order in which they were learned, with the time of each (seconds since the epoch).

    A process is born with what its parent knows then: `base`. That is not copied but looked up, up to the time `since`.
    """

    __slots__ = ("_base", "_born_with", "_learned", "_since", "_taken")

    def __init__(self, base: "Knowledge | None" = None, since: float = 0.0) -> None:
        self._learned: dict[Fact, float] = {}
        self._base, self._since = base, since
        # How many facts of each ancestor it was born with; they learn on, and that is not its own.
        self._born_with: dict[Knowledge, int] = {}
        if base is not None:
            self._born_with = {base: len(base._learned), **base._born_with}
        # How many facts of another were taken over already. Holding the other keeps its identity its own.
        self._taken = dict(self._born_with)

    def get(self, fact: Fact) -> float | None:
        """Return when the fact was learned; None when it is not known."""
        learned = self._learned.get(fact)
        if learned is not None or self._base is None:
            return learned
        inherited = self._base.get(fact)
        return inherited if inherited is not None and inherited <= self._since else None

    def tell(self, fact: Fact, time: float) -> None:
        """Learn one fact; what is known already keeps its time."""
        if self.get(fact) is None:
            self._learned[fact] = time

    def learn(self, other: "Knowledge", time: float) -> None:
        """Learn all that another knows."""
        if other not in self._taken:
            self._learn_birth(other, time)
        self._take(other, len(other._learned), time)

    def learn_until(self, other: "Knowledge", until: float, time: float) -> None:
        """Learn what another was born with, and what it had learned by the time `until`."""
        self._learn_birth(other, time)
        for fact, when in other._learned.items():
            if when <= until:
                self.tell(fact, time)

    def _learn_birth(self, other: "Knowledge", time: float) -> None:
        for ancestor, count in other._born_with.items():
            self._take(ancestor, count, time)

    def _take(self, other: "Knowledge", count: int, time: float) -> None:
        """Learn the first `count` facts that another has learned itself."""
        taken = self._taken.get(other, 0)
        if other is self or (taken >= count and other in self._taken):
            return
        for fact in islice(other._learned, taken, count):
            self.tell(fact, time)
        self._taken[other] = max(taken, count)
