"""Rollups are packed by another process, and by this one where that dies."""

import signal
from concurrent.futures import Future
from typing import Any

from flakehunter.db.queries.packing import packed
from flakehunter.db.rows import Written
from flakehunter.fanout.companion import Companion
from flakehunter.fanout.pool import WorkerDiedError
from flakehunter.ingest.beside import packing


def written() -> Written:
    """Return two runs of three tests."""
    told = Written()
    for run in (1, 2):
        told.begin(run)
        told.add_passes(run, [5, 6])
        told.add(run, [7], ["failed"])
    return told


class Dying(Companion):
    """A companion whose process does not live."""

    def __init__(self) -> None:
        """Have no process."""

    def submit(self, *_: Any, **__: Any) -> "Future[Any]":
        """Return what is known of it."""
        future: Future[Any] = Future()
        how = f"by {signal.Signals.SIGKILL.name}"
        future.set_exception(WorkerDiedError(f"a rollup: 2 processes died, the last {how}", item="a rollup"))
        return future


def test_a_rollup_that_nobody_else_packs_is_packed_here() -> None:
    pack = packing(Dying())

    assert pack is not None
    assert pack(written()) == packed(written())


def test_without_another_process_nothing_is_packed_elsewhere() -> None:
    assert packing(None) is None
