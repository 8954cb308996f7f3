"""Fixtures of the tests with real process trees."""

import contextlib
import multiprocessing
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from trees import Observer


@pytest.fixture
def observer(tmp_path: Path) -> Iterator[Observer]:
    """Give an observer for one tree, and end what is left of the tree."""
    observer = Observer(tmp_path)
    yield observer
    observer.end_all()


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


@pytest.fixture
def hogs() -> Iterator[None]:
    """Load the machine with eight busy processes."""
    with burning(8):
        yield
