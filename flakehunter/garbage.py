"""Python's search for garbage, while there is much to do and no garbage."""

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def few_collections() -> Iterator[None]:
    """Let Python look for cycles seldom: rows, XML elements, imports have none, and looking costs a fifth of the time.

    Of `ingest` as of `detect`: each look goes over what is there, and over the caches of the processor with it.
    """
    before = gc.get_threshold()
    gc.set_threshold(200_000, 20, 20)
    try:
        yield
    finally:
        # What was made counts as looked at: else the next object has all of it looked at, 30 ms after a `detect`.
        gc.freeze()
        gc.unfreeze()
        gc.set_threshold(*before)
