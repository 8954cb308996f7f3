"""The interface of a pool of workers, and the choice between this machine and a fleet."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Generic, Protocol, TypeVar

from flakehunter.errors import FlakehunterError

Item = TypeVar("Item")
Result = TypeVar("Result")

MOST_DEATHS = 2
"""When so many workers died with an item, it is the cause; a single one may have been killed by an operator."""


class TaskError(FlakehunterError):
    """A worker's function raised what is no FlakehunterError; `traceback` is the worker's, `item` the item's name."""

    slug = "task"

    def __init__(self, message: str, *, item: str, traceback: str = "", hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.item = item
        self.traceback = traceback


class WorkerDiedError(FlakehunterError):
    """Worker after worker died with the same item; `item` is its name."""

    slug = "worker-died"

    def __init__(self, message: str, *, item: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.item = item


@dataclass(frozen=True, slots=True)
class Outcome(Generic[Item, Result]):
    """What became of one item: a value or an error, and the host that worked on it."""

    item: Item
    host: str
    result: Result | None = None
    error: FlakehunterError | None = None

    @property
    def value(self) -> Result:
        """Return what the function returned.

        Raises:
            FlakehunterError: the function's own, TaskError for any other exception, or WorkerDiedError.
        """
        if self.error is not None:
            raise self.error
        return self.result  # type: ignore[return-value]


class Pool(Protocol):
    """Workers that apply a function to items; a context manager that leaves no process behind."""

    @property
    def workers(self) -> int:
        """How many items can be worked on at once."""
        ...

    @property
    def stands(self) -> bool:
        """Whether its workers are there already, so that a fraction of a second of work is worth being shared."""
        ...

    def map(
        self,
        function: Callable[[Item], Result],
        items: Iterable[Item],
        *,
        name: Callable[[Item], str] = str,
        resources: Mapping[str, float] | None = None,
        when_sent: Callable[[], None] | None = None,
    ) -> Iterator[Outcome[Item, Result]]:
        """Apply `function` to each item on some worker; give the outcomes in the order in which they are ready.

        Items are taken one by one as workers become free, so that they may come from a generator, and only a few are
        held at a time. An item whose worker dies is worked on again by another: `function` must bear a second call.

        Args:
            function: importable by name on the workers, or a `functools.partial` of such a one.
            items: picklable, as are the results.
            name: how an item is called in an error.
            resources: what a worker must have, such as `{"REPRO": 1}`; items that need one take turns on this machine.
            when_sent: called once, when the workers have their first items, before any is waited for.

        Raises:
            RemoteError: the fleet is lost.
        """
        ...

    def places(self, resources: Mapping[str, float]) -> int:
        """Return how many items that need `resources` can be worked on at once.

        Raises:
            UsageError: none.
        """
        ...

    def __enter__(self) -> "Pool":
        """Return the pool."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the workers of this machine, or leave the fleet; after an exception at once."""
        ...


def open_pool(scheduler: str | None = None, workers: int | None = None, *, at_least: int = 1, ahead: int = 0) -> Pool:
    """Return the pool of the fleet at `scheduler` (such as `tcp://host:8786`), or of this machine without one.

    `workers` counts processes of this machine, by default one a CPU; a single one is this process itself, and so it is
    where there are fewer than `at_least` items: not all work is worth starting processes. With `ahead` the
    caller has work of its own with each outcome: a single one is another process then, and so many items wait for each.

    Raises:
        UsageError: nothing answers at the address, no worker has joined, one has another version of flakehunter, or
            the extra `dask` is not installed.
    """
    if scheduler is not None:
        from flakehunter.fanout.fleet import FleetPool

        return FleetPool(scheduler)
    from flakehunter.fanout.local import InlinePool, LocalPool

    count = workers or usable_cpus()
    return LocalPool(count, at_least=at_least, ahead=ahead) if count > 1 or ahead else InlinePool()


def usable_cpus() -> int:
    """Return how many CPUs this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
