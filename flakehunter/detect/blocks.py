"""The part of `detect` that takes long, test by test, in blocks that the workers of a pool judge."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from flakehunter.db.queries.failures import Event, FailureText
from flakehunter.db.queries.history import History
from flakehunter.db.queries.tests import TestRow
from flakehunter.detect.history import TestHistory, summarise
from flakehunter.detect.rulebook import Rule
from flakehunter.detect.text import Hits, Match, Readings, Text, match_failures, match_log, text_of
from flakehunter.detect.weigh import PRIOR_FLAKY
from flakehunter.fanout import Pool
from flakehunter.fanout.companion import Companion

BLOCK_CELLS = 1_000_000
"""Rows of `History.cells` from which a block is full: half a second of work or more, which is more than any way to a
worker. Smaller ones cost more in all, since the model takes a step of all series of a block at once."""

SHARED_CELLS, SHARED_TESTS = 50_000, 2_000
"""From so many rows and tests on a block is full where several workers are there already, who would else have nothing
to do. Measured: blocks of 2,500 tests cost 12 % more CPU than one of 10,000."""

FEWEST_TESTS = 50
"""With fewer than so many tests for each of the workers that are there, some of them have none: some 30 ms of work."""

WORTH_WORKERS = 8
"""With fewer blocks, starting processes takes longer than judging the tests."""


@dataclass(frozen=True, slots=True)
class Texts:
    """What was said of the failures of one test."""

    failures: Sequence[FailureText]
    events: Sequence[Event]


@dataclass(frozen=True, slots=True)
class Block:
    """Tests that failed outside of outages, their part of the history, and what was said of their failures."""

    tests: Sequence[TestRow]
    history: History
    """Of these tests only."""
    failed_runs: Mapping[int, set[int]]
    """Runs in which each test failed, by test case id."""
    texts: Mapping[int, Texts]
    rules: Sequence[Rule]
    read: Mapping[Text, Hits]
    """Texts of failures that have been read already."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle each column of the cells in as few bytes as hold it: a sixth, and they are nearly all of a block."""
        columns = [column.astype(np.min_scalar_type(int(column.max(initial=0)))) for column in self.history.cells.T]
        bare = replace(self.history, cells=self.history.cells[:0])
        return _unpacked, (columns, (self.tests, bare, self.failed_runs, self.texts, self.rules, self.read))


def _unpacked(columns: Sequence[npt.NDArray[Any]], fields: tuple[Any, ...]) -> Block:
    block = Block(*fields)
    return replace(block, history=replace(block.history, cells=np.stack(columns, axis=1).astype(np.int64)))


@dataclass(frozen=True, slots=True)
class Judged:
    """What a worker says of a block, by test case id."""

    summaries: dict[int, TestHistory]
    matches: dict[int, list[Match]]


def failed_tests(history: History, tests: Sequence[TestRow]) -> list[TestRow]:
    """Return the tests that failed outside of outages."""
    failed = set(history.ever_failed)
    return [test for test in tests if test.id in failed]


def blocks(
    history: History,
    failed: Sequence[TestRow],
    texts: Mapping[int, Texts],
    rules: Sequence[Rule],
    read: Mapping[Text, Hits],
    *,
    shared: int = 1,
) -> Iterator[Block]:
    """Divide the failed tests into blocks, smaller ones where they are `shared` by several workers that stand ready.

    `read` are texts that have been read already. What is said of a test does not depend on its block.
    """
    failures = history.failures[np.argsort(history.failures[:, 0], kind="stable")]
    places = np.searchsorted(failures[:, 0], [(test.id, test.id + 1) for test in failed]).reshape(-1, 2).tolist()
    runs = {test.id: set(failures[begin:end, 1].tolist()) for test, (begin, end) in zip(failed, places, strict=True)}
    cells = history.cells
    bare = replace(history, totals=history.totals[:0], failures=history.failures[:0], outages=[], outage_failures={})
    members: list[TestRow] = []
    begin = 0
    ordered = sorted(failed, key=lambda test: test.id)
    share = max(FEWEST_TESTS, -(-len(ordered) // shared))
    for place, test in enumerate(ordered):
        members.append(test)
        end = int(np.searchsorted(cells[:, 0], test.id, side="right"))
        full = end - begin >= BLOCK_CELLS
        large = end - begin >= SHARED_CELLS and len(members) >= SHARED_TESTS
        full |= shared > 1 and (large or len(members) >= share)
        if not full and place + 1 < len(ordered):
            continue
        ids = [member.id for member in members]
        said = {text_of(failure) for number in ids for failure in texts[number].failures}
        yield Block(
            tests=members,
            history=replace(bare, cells=cells[begin:end]),
            failed_runs={number: runs[number] for number in ids},
            texts={number: texts[number] for number in ids},
            rules=rules,
            read={text: read[text] for text in said & read.keys()},
        )
        members, begin = [], end


def judge(block: Block, companion: Companion | None = None) -> Judged:
    """Fit the model to the history of each test of a block, and the rules to the texts of its failures."""
    matches, readings = {}, Readings(block.rules, block.read)
    for test in block.tests:
        said = block.texts[test.id]
        name = f"{test.identity.classname} {test.identity.name}"
        matches[test.id] = [
            *match_failures(readings, said.failures, name),
            *match_log(block.rules, said.events, block.failed_runs[test.id]),
        ]
    return Judged(summarise(block.history, p_flaky=PRIOR_FLAKY, companion=companion), matches)


def judge_all(pool: Pool, parts: Iterator[Block], companion: Companion | None = None) -> Judged:
    """Have the pool judge all blocks; the companion helps where the pool is this process."""
    whole = Judged({}, {})
    for outcome in pool.map(partial(judge, companion=companion), parts, name=_name):
        judged = outcome.value
        whole.summaries.update(judged.summaries)
        whole.matches.update(judged.matches)
    return whole


def _name(block: Block) -> str:
    return f"{block.tests[0].identity.label} and {len(block.tests) - 1} more tests"
