"""What is sent to a worker that judges tests."""

import pickle

import numpy as np

from flakehunter.db.queries.history import History
from flakehunter.detect.blocks import Block


def block_of(cells: "np.typing.NDArray[np.int64]") -> Block:
    """Return a block with these cells and nothing else."""
    none = np.zeros((0, 3), np.int64)
    history = History(
        runs=[],
        commits=["c"],
        kinds=[],
        slots=[],
        outages=[],
        cells=cells,
        totals=none,
        outage_failures={},
        slot_of={},
        failures=none[:, :2],
    )
    return Block(tests=[], history=history, failed_runs={7: {1}}, texts={}, rules=[], read={})


def test_cells_come_as_they_were_in_a_sixth_of_the_bytes() -> None:
    cells = np.zeros((100_000, 5), np.int64)
    cells[:, 0] = 60_000 + np.arange(len(cells)) // 1000
    cells[:, 1] = np.arange(len(cells)) % 1000
    cells[:, 2:] = [1, 2, 255]
    sent = pickle.dumps(block_of(cells), pickle.HIGHEST_PROTOCOL)

    got = pickle.loads(sent)

    np.testing.assert_array_equal(got.history.cells, cells)
    assert got.history.cells.dtype == np.int64
    assert (got.history.commits, got.failed_runs) == (["c"], {7: {1}})
    assert len(sent) < cells.nbytes / 5


def test_block_without_cells_and_ids_beyond_32_bits_are_kept() -> None:
    large = np.array([[2**40, 2**33, 0, 1, 0]], np.int64)

    for cells in (large, large[:0]):
        np.testing.assert_array_equal(pickle.loads(pickle.dumps(block_of(cells))).history.cells, cells)
