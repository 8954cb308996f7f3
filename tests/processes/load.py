"""Keep a machine busy meanwhile."""

import contextlib
import multiprocessing
import signal
from collections.abc import Iterator

__all__ = ["burning"]


def _burn() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    while True:
        pass


@contextlib.contextmanager
def burning(count: int) -> Iterator[None]:
    """Keep `count` processes busy meanwhile."""
    context = multiprocessing.get_context("fork")
    hogs = [context.Process(target=_burn, daemon=True) for _ in range(count)]
    for hog in hogs:
        hog.start()
    try:
        yield
    finally:
        for hog in hogs:
            hog.kill()
            hog.join()
