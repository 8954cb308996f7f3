"""Counts by test and slot are those of a plain loop, whatever the parts look like that the results come in."""

from collections import Counter

import numpy as np
import pytest

from flakehunter.db.queries import tally
from flakehunter.db.queries.packing import BAD, PASSED, SKIPPED, Grid, Ints, Packed, Part, joined
from flakehunter.db.queries.tally import Table, by_slot

RUNS, TESTS = 40, 12
SLOT_OF = [-1 if run % 10 == 3 else run * 7 % 9 for run in range(RUNS)]
"""Some runs are in no slot, and those of a slot do not stand together."""


def parts_of(seed: int) -> list[Part]:
    """Return grids of the same tests and of different ones, runs in several of them, tests twice in a run, columns."""
    draw = np.random.default_rng(seed)
    parts: list[Part] = []
    runs = draw.permutation(RUNS).astype(np.int32)
    for begin in range(0, 30, 10):
        tests = np.sort(draw.choice(TESTS, 8, replace=begin == 20)).astype(np.int32) + 1
        some = runs[begin : begin + 12]  # two of them are in the next grid, too
        outcome = draw.choice([PASSED] * 6 + [BAD, SKIPPED], (len(some), len(tests))).astype(np.uint8)
        parts.append(Grid(tests, some + 1, outcome))
    test, run = draw.integers(1, TESTS + 1, 200), draw.choice(runs[25:], 200) + 1
    parts.append(Packed(test.astype(np.int32), run.astype(np.int32), draw.integers(0, 3, 200).astype(np.uint8)))
    return parts


def counted(parts: list[Part], tests: list[int]) -> list[list[int]]:
    """Return the rows of `by_slot`, counted one by one."""
    whole = joined(parts)
    results = Counter(zip(whole.test.tolist(), whole.run.tolist(), whole.outcome.tolist(), strict=True))
    rows = []
    for test in tests:
        for slot in range(max(SLOT_OF) + 1):
            runs = [place + 1 for place in range(RUNS) if SLOT_OF[place] == slot]
            failed = {run: results[test, run, BAD] for run in runs}
            executed = {run: failed[run] + results[test, run, PASSED] for run in runs}
            if sum(executed.values()):
                both = sum(0 < failed[run] < executed[run] for run in runs)
                rows.append([test, slot, sum(failed.values()), sum(executed.values()), both])
    return rows


@pytest.mark.parametrize("limit", ["DENSE_CELLS", "DIRECT_IDS", None])
@pytest.mark.parametrize("seed", range(5))
def test_counts_by_test_and_slot_are_those_of_a_loop(
    seed: int, limit: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if limit is not None:
        monkeypatch.setattr(tally, limit, 0)
    ids = list(range(1, RUNS + 1))
    tests = [1, 2, 5, 7, 12]

    parts = parts_of(seed)
    found = by_slot(
        parts, Table(ids, SLOT_OF), np.array(tests), runs=Table(ids, range(RUNS)), many=(max(SLOT_OF) + 1, RUNS)
    )

    assert found.tolist() == counted(parts, tests)
    assert any(row[4] for row in found.tolist())


@pytest.mark.parametrize("parts", [[], parts_of(1)], ids=["no results", "no tests"])
def test_nothing_is_counted_of_nothing(parts: list[Part]) -> None:
    ids, tests = list(range(1, RUNS + 1)), np.array([] if parts else [1])

    found: Ints = by_slot(
        parts, Table(ids, SLOT_OF), tests.astype(np.int64), runs=Table(ids, range(RUNS)), many=(9, RUNS)
    )

    assert found.shape == (0, 5)
