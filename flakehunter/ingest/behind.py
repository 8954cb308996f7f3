"""Writing behind the reader: while a server works on one transaction, this process parses the files of the next.

The driver waits for the server without holding Python's lock (psycopg, libpq), so that a thread of its own is enough.
It has little to do; but it gets the lock back only once the parser lets go of it, by default after 5 ms for each answer
of the server ("sys.setswitchinterval" in Python's manual).
"""

import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Generic, Self, TypeVar

SWITCH_S = 0.0005
"""How long the parser goes on when the thread has an answer to read."""

T = TypeVar("T")


class Behind(Generic[T]):
    """Does one step at a time, and nothing else touches what that uses until `finish`; use as a context manager.

    Where it is not `threaded`, each step is done at once.
    """

    def __init__(self, *, threaded: bool) -> None:
        self._threaded = threaded
        self._thread: ThreadPoolExecutor | None = None
        self._doing: tuple[Future[T], Callable[[T], None]] | None = None
        self._switch_s = sys.getswitchinterval()

    def __enter__(self) -> Self:
        if self._threaded:
            self._thread = ThreadPoolExecutor(1, "writer")
            sys.setswitchinterval(SWITCH_S)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._thread is not None:
            # What it is at ends first: the connection is not taken away from under it.
            self._thread.shutdown()
            sys.setswitchinterval(self._switch_s)

    def begin(self, step: Callable[[], T], then: Callable[[T], None]) -> None:
        """Wait for the step before; then do this one, and give to `then` what it returns, in the caller's thread.

        Raises what the step before raised, or what this one raises at once.
        """
        self.finish()
        if self._thread is None:
            then(step())
        else:
            self._doing = self._thread.submit(step), then

    def finish(self) -> None:
        """Wait for the step that is being done; raises what it raised."""
        if self._doing is not None:
            future, then = self._doing
            told = future.result()
            self._doing = None
            then(told)
