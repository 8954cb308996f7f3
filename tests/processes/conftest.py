"""Fixtures of the tests with real process trees."""

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
