"""A pool of dask workers whose scheduler another process talks to, while this one imports, reads and computes.

The import of dask takes as long as that of all else a command needs. A companion does it beside: it gets items as
bytes, hands them to the fleet, and returns the answers as bytes, so that it imports nothing that they are made of.
"""

import pickle
import socket
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from types import TracebackType
from typing import TYPE_CHECKING

from flakehunter.errors import FlakehunterError, RemoteError
from flakehunter.fanout.companion import Companion
from flakehunter.fanout.pool import Item, Outcome, Result
from flakehunter.fanout.task import broken

if TYPE_CHECKING:
    from flakehunter.fanout.fleet import FleetPool

AHEAD = 3
"""Items that are sent for each thread of the fleet at first: those of `fleet.AHEAD`, and one that waits beside."""


def join_early(address: str, beside: Companion) -> None:
    """Have a companion join the fleet at `address`; what goes wrong is told to whoever wants to use it."""
    beside.submit(_workers, address, name=_NAME)


class FleetBeside:
    """The fleet that a companion has joined; to whoever uses it the same as `FleetPool`."""

    stands = True

    def __init__(self, address: str, beside: Companion) -> None:
        """Have `beside` join the fleet at `address`, if it has not yet, without waiting for it."""
        self._address = address
        self._beside = beside
        self._joined = beside.submit(_workers, address, name=_NAME)

    @property
    def workers(self) -> int:
        """How many items can be worked on at once.

        Raises:
            UsageError: see `open_pool`.
        """
        return self._joined.result()

    def map(
        self,
        function: Callable[[Item], Result],
        items: Iterable[Item],
        *,
        name: Callable[[Item], str] = str,
        resources: Mapping[str, float] | None = None,
        when_sent: Callable[[], None] | None = None,
    ) -> Iterator[Outcome[Item, Result]]:
        """Apply `function` to items on the workers; see `FleetPool.map`, which is what the companion calls.

        Raises:
            UsageError, RemoteError: as there.
        """
        source = enumerate(items)
        running: dict[int, Item] = {}
        more = AHEAD * self.workers
        self._beside.submit(_begin, (self._address, resources), name=_NAME).result()
        while True:
            sent = []
            for number, item in islice(source, more):
                try:
                    content = pickle.dumps((function, item), pickle.HIGHEST_PROTOCOL)
                except Exception as error:
                    yield Outcome(item, socket.gethostname(), error=broken(error, name(item)))
                    continue
                running[number] = item
                sent.append(_Sent(number, name(item), content))
            coming = self._beside.submit(_next, sent, name=_NAME) if running else None
            if when_sent is not None:
                when_sent()
                when_sent = None
            if coming is None:
                return
            reply = coming.result()
            item = running.pop(reply.number)
            result = None if reply.result is None else pickle.loads(reply.result)
            yield Outcome(item, reply.host, result, reply.error)
            more = 2 if reply.wants_more else 1

    def places(self, resources: Mapping[str, float]) -> int:
        """Return how many items with such needs can be worked on at once; see `Pool.places`."""
        return self._beside.submit(_places, (self._address, resources), name=_NAME).result()

    def __enter__(self) -> "FleetBeside":
        """Return the pool."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the fleet, without waiting for that."""
        self._beside.submit(_leave, self._address, name=_NAME)


_NAME = "the fleet"


@dataclass(frozen=True, slots=True)
class _Sent:
    """An item on its way: function and item as bytes, which only the worker makes objects of."""

    number: int
    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class _Reply:
    """What became of an item: what its function returned, as bytes, or an error."""

    number: int
    host: str
    result: bytes | None
    error: FlakehunterError | None
    wants_more: bool
    """Whether the fleet had place for an item that was not there yet."""


class _Waiting(Iterator[_Sent]):
    """Items that came from the other process; at an end whenever there is none, and not for good."""

    def __init__(self) -> None:
        self.items: deque[_Sent] = deque()
        self.asked_in_vain = False

    def __next__(self) -> _Sent:
        if not self.items:
            self.asked_in_vain = True
            raise StopIteration
        return self.items.popleft()


# From here on in the companion, which has one fleet, and goes through one row of items after the other.
_fleets: "dict[str, FleetPool | FlakehunterError]" = {}
_waiting = _Waiting()
_outcomes: Iterator[Outcome[_Sent, bytes]] | None = None


def _fleet(address: str) -> "FleetPool":
    if address not in _fleets:
        from flakehunter.fanout.fleet import FleetPool

        try:
            _fleets[address] = FleetPool(address)
        except FlakehunterError as error:
            _fleets[address] = error
    found = _fleets[address]
    if isinstance(found, FlakehunterError):
        raise found
    return found


def _workers(address: str) -> int:
    return _fleet(address).workers


def _places(address_and_resources: tuple[str, Mapping[str, float]]) -> int:
    address, resources = address_and_resources
    return _fleet(address).places(resources)


def _begin(address_and_resources: tuple[str, Mapping[str, float] | None]) -> None:
    global _waiting, _outcomes
    address, resources = address_and_resources
    _waiting = _Waiting()
    _outcomes = _fleet(address).map(_open, _waiting, name=lambda sent: sent.name, resources=resources)


def _next(sent: list[_Sent]) -> _Reply:
    """Hand items over, and return the next outcome."""
    if _outcomes is None:  # another process had begun
        raise RemoteError("the process that talks to the fleet has died", url="", hint="run the same command again")
    _waiting.items += sent
    _waiting.asked_in_vain = False
    outcome = next(_outcomes)
    return _Reply(outcome.item.number, outcome.host, outcome.result, outcome.error, _waiting.asked_in_vain)


def _leave(address: str) -> None:
    found = _fleets.pop(address, None)
    if found is not None and not isinstance(found, FlakehunterError):
        found.__exit__(None, None, None)


def _open(sent: _Sent) -> bytes:
    """Do what was sent, on a worker."""
    function, item = pickle.loads(sent.content)
    return pickle.dumps(function(item), pickle.HIGHEST_PROTOCOL)
