"""How often Python looks for garbage: seldom, where nearly everything that is made stays until the end."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

OBJECTS = 200_000
"""New objects, less those that are gone, after which it looks; Python's own number is 700 (2,000 from 3.13 on)."""


@contextmanager
def seldom_collected() -> Iterator[None]:
    """Look for garbage seldom while this lasts: imports and rows of a database are no garbage, and there are many.

    Each look goes over what is there, and over the caches of the processor with it: a fifth of the time of `detect`.
    """
    before = gc.get_threshold()
    gc.set_threshold(OBJECTS, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
