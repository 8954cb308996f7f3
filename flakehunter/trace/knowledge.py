"""What a process or a channel knows: facts, each with the time at which it was first learned.

Facts are only ever added, so whoever learned from another before has to take over what is new since: a long run has
thousands of facts, and reads and writes by the hundred thousand. For the same reason a channel holds no facts, but how
much each of its writers knew when it wrote last.
"""

from bisect import bisect_left
from collections.abc import Callable
from enum import StrEnum

__all__ = ["Fact", "FactKind", "Heard", "Knowledge"]


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

    Each has a number, counted from 0, which it keeps when facts before it are forgotten. A process is born with what
    its parent knew at the time `since`: `base`. That is not copied but looked up.
    """

    __slots__ = ("_base", "_born_with", "_facts", "_learned", "_next", "_numbers", "_taken")

    def __init__(self, base: "Knowledge | None" = None, since: float = 0.0) -> None:
        self._learned: dict[Fact, tuple[float, int]] = {}
        self._facts: list[Fact] = []
        self._numbers: list[int] = []
        self._next = 0
        self._base = base
        # How many facts of each ancestor it was born with; they learn on, and that is not its own.
        self._born_with: dict[Knowledge, int] = {}
        if base is not None:
            self._born_with = {base: base._count_at(since), **base._born_with}
        # How many facts of another were taken over already. Holding the other keeps its identity its own.
        self._taken = dict(self._born_with)

    @property
    def size(self) -> int:
        """Return how many facts it has learned itself, with those that were forgotten."""
        return self._next

    def get(self, fact: Fact) -> float | None:
        """Return when the fact was learned; None when it is not known."""
        return self.among_first(fact, self._next)

    def among_first(self, fact: Fact, count: int) -> float | None:
        """Return when the fact was learned, if it is of those that it was born with or of the first `count` others."""
        learned = self._learned.get(fact)
        if learned is not None:
            return learned[0] if learned[1] < count else None
        return self._base.among_first(fact, self._born_with[self._base]) if self._base is not None else None

    def tell(self, fact: Fact, time: float) -> None:
        """Learn one fact; what is known already keeps its time."""
        if self.get(fact) is None:
            self._learned[fact] = (time, self._next)
            self._facts.append(fact)
            self._numbers.append(self._next)
            self._next += 1

    def learn(self, other: "Knowledge", time: float) -> None:
        """Learn all that another knows."""
        self.learn_first(other, other._next, time)

    def learn_first(self, other: "Knowledge", count: int, time: float) -> None:
        """Learn what another was born with, and the first `count` facts that it has learned itself."""
        if other not in self._taken:
            self._learn_birth(other, time)
        self._take(other, count, time)

    def learn_until(self, other: "Knowledge", until: float, time: float) -> None:
        """Learn what another was born with, and what it had learned by the time `until`."""
        self._learn_birth(other, time)
        for fact, (when, _) in other._learned.items():
            if when <= until:
                self.tell(fact, time)

    def forget(self, is_over: Callable[[Fact], bool], gone: "set[Knowledge]") -> None:
        """Drop the facts that are over, and what was taken from those that are gone themselves."""
        kept = [(fact, number) for fact, number in zip(self._facts, self._numbers, strict=True) if not is_over(fact)]
        if len(kept) < len(self._facts):
            self._facts, self._numbers = [fact for fact, _ in kept], [number for _, number in kept]
            self._learned = {fact: self._learned[fact] for fact in self._facts}
        # Its own ancestors stay: what it was born with is theirs.
        self._taken = {
            other: count for other, count in self._taken.items() if other not in gone or other in self._born_with
        }

    def _count_at(self, time: float) -> int:
        """Return how many facts it had learned by that time, which is not long ago."""
        for fact, number in zip(reversed(self._facts), reversed(self._numbers), strict=True):
            if self._learned[fact][0] <= time:
                return number + 1
        return self._numbers[0] if self._numbers else self._next

    def _learn_birth(self, other: "Knowledge", time: float) -> None:
        for ancestor, count in other._born_with.items():
            self._take(ancestor, count, time)

    def _take(self, other: "Knowledge", count: int, time: float) -> None:
        """Learn the first `count` facts that another has learned itself."""
        taken = self._taken.get(other, 0)
        if other is self or (taken >= count and other in self._taken):
            return
        numbers = other._numbers
        for position in range(bisect_left(numbers, taken), len(numbers)):
            if numbers[position] >= count:
                break
            self.tell(other._facts[position], time)
        self._taken[other] = max(taken, count)


class Heard:
    """What can be learned from a channel, or from those who sent a signal: how much each of them knew, and when."""

    __slots__ = ("_from",)

    def __init__(self) -> None:
        self._from: dict[Knowledge, list[tuple[int, float]]] = {}

    def __len__(self) -> int:
        return len(self._from)

    def add(self, knowledge: Knowledge, time: float, *, each: bool = False) -> None:
        """Take in that somebody spoke who knew so much; with `each` it is kept how much that was at every time."""
        spoken = self._from.setdefault(knowledge, [])
        if not spoken or (each and spoken[-1][0] < knowledge.size):
            spoken.append((knowledge.size, time))
        elif spoken[-1][0] < knowledge.size:
            spoken[-1] = (knowledge.size, time)

    def teach(self, learner: Knowledge, time: float) -> None:
        """Let somebody learn all of it."""
        for knowledge, spoken in self._from.items():
            learner.learn_first(knowledge, spoken[-1][0], time)

    def get(self, fact: Fact) -> float | None:
        """Return when the fact was first told; None when it was not."""
        times = [
            time
            for knowledge, spoken in self._from.items()
            for size, time in spoken
            if knowledge.among_first(fact, size) is not None
        ]
        return min(times, default=None)

    def forget(self, gone: set[Knowledge]) -> None:
        """Drop what those said who are gone."""
        for knowledge in [knowledge for knowledge in self._from if knowledge in gone]:
            del self._from[knowledge]
