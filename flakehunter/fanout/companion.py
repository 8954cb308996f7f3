"""One more process of this machine, forked early, for work that would else make this one wait."""

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from flakehunter.fanout.local import LocalPool
from flakehunter.fanout.pool import Item, Result, usable_cpus


class Companion:
    """Does one thing after the other on a processor of its own; see `companion`."""

    def __init__(self, pool: LocalPool, thread: ThreadPoolExecutor) -> None:
        self._pool = pool
        self._thread = thread

    def submit(self, function: Callable[[Item], Result], item: Item, *, name: str) -> "Future[Result]":
        """Have `function` applied to `item`, which is called `name` in an error; see `Pool.map` for what both may be.

        The future raises what `Outcome.value` raises.
        """

        def done() -> Result:
            [outcome] = self._pool.map(function, [item], name=lambda _item: name)
            return outcome.value

        return self._thread.submit(done)

    def __reduce__(self) -> tuple[Callable[[], None], tuple[()]]:
        """Pickle as None: it stays with its process, and whoever else is given it has none."""
        return _nobody, ()


def _nobody() -> None:
    return None


@contextlib.contextmanager
def companion(workers: int | None = None) -> Iterator[Companion | None]:
    """Start a companion, and end it on the way out; None for one worker or CPU, and where a fork is not safe.

    A fork takes some milliseconds, but is safe only without threads: NumPy has some, so this comes before its import. A
    process that is started anew would first import for as long as a companion saves.
    """
    if min(workers or 2, usable_cpus()) < 2:
        yield None
        return
    with LocalPool(1) as pool:
        if not pool.fork():
            yield None
            return
        thread = ThreadPoolExecutor(1)
        try:
            yield Companion(pool, thread)
        except BaseException:
            # What it is doing may take long, and the pool kills it.
            thread.shutdown(wait=False, cancel_futures=True)
            raise
        thread.shutdown()
