"""Where and when flaky tests fail: branch, runner, system, hour, load, ...; what they cost; who fails with them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection

from flakehunter.db.queries.history import History, Results, RunRow, TestRuns, neighbour_durations, runs_of_tests
from flakehunter.detect.history import kind_name, setting
from flakehunter.stats.splits import fisher_greater, q_values, rank_greater

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

NEWEST_RUNS = 4000
"""Newest runs that are looked at; circumstances of years ago explain nothing of today."""

NEWEST_RESULTS = 300_000
"""Results of all tests in those runs; with more, fewer runs are looked at, since each result is read."""

FALSE_DISCOVERY_RATE = 0.05
"""Share of the reported differences that may be chance, over all tests and all splits together."""

FEWEST_RUNS = 5
"""Runs on each side of a comparison below which none is made."""

HOURS = 6
"""Length of the blocks of the day (UTC) that are compared."""

FACTORS = ("branch", "runner", "job", "hour", "cpus", "parallel", "time_limit_s")
"""What a run is like, as far as it is compared."""

TOGETHER = 0.6
"""Two tests whose failed runs overlap by this much (Jaccard) fail together."""

FEWEST_TOGETHER = 3
"""Failed runs in common below which two tests are not said to fail together."""

TESTS_AT_ONCE = 500
"""Tests that are compared with all others at one time: eight bytes a pair."""

DIGITS = 9
"""Of how slow a run was, beyond which nothing is told from it."""


@dataclass(frozen=True, slots=True)
class Split:
    """A circumstance under which a test fails more than elsewhere."""

    factor: str
    """`branch`, `runner`, `job`, `hour`, `cpus` (the size of the runner), `parallel` (tests at a time), `time_limit_s`
    or `load`."""
    text: str
    q_value: float


@dataclass(frozen=True, slots=True)
class Cost:
    """What a flaky test has cost in the runs that were looked at."""

    failed_minutes: float
    """Time that its failed attempts took."""
    retries: int
    """Attempts that were needed beyond the first, in runs where it failed at least once."""
    builds_lost: int
    """Runs in which it failed and never passed."""
    builds_lost_alone: int
    """Those of them in which nothing else failed."""


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What the runs of one flaky test have in common when it fails."""

    splits: tuple[Split, ...] = ()
    cost: Cost = field(default_factory=lambda: Cost(0.0, 0, 0, 0))
    together_with: tuple[int, ...] = ()
    """Test case ids of other flaky tests that fail in mostly the same runs."""

    @property
    def load_sensitive(self) -> bool:
        """Whether it fails when its neighbours are slow."""
        return any(split.factor == "load" for split in self.splits)


def loads(connection: Connection, history: History) -> dict[int, float]:
    """Return how long a test took on average in each of the newest runs, in seconds, from tests that never failed."""
    return neighbour_durations(connection, history.ever_failed, newest=_newest(history))


@dataclass(frozen=True, slots=True)
class _Rows:
    """What T tests did in the runs that are no outages: columns of length N, in the order of tests and runs."""

    tests: list[int]
    """(T,) test case ids."""
    begin: Ints
    """(T + 1,) where the rows of each test begin, and N."""
    test: Ints
    """(N,) place of the test."""
    run: Ints
    """(N,) place of the run."""
    failed: Ints
    executed: Ints
    failed_s: Floats

    def parts(self) -> Iterator[tuple[int, slice]]:
        """Yield each test with the slice of its rows."""
        bounds = self.begin.tolist()
        yield from zip(self.tests, map(slice, bounds, bounds[1:]), strict=True)


def look_around(
    connection: Connection,
    results: Results,
    history: History,
    test_ids: Sequence[int],
    durations: Mapping[int, float],
) -> dict[int, Circumstances]:
    """Return the circumstances of each of the given (flaky) tests.

    `history` is that of `results`, and `durations` are what `loads` returned.
    """
    if not test_ids:
        return {}
    out = {run.id for run in history.outages}
    runs = [run for run in history.runs if run.id not in out]
    rows = _rows(runs_of_tests(connection, results, test_ids, newest=_newest(history)), runs)
    slowness = _slowness(durations, runs)
    candidates = list(_comparisons(rows, runs, slowness))
    values = q_values([one.p_value for one in candidates])
    found: dict[int, dict[str, Split]] = {}
    for one, q_value in sorted(zip(candidates, values, strict=True), key=lambda pair: pair[1]):
        if q_value <= FALSE_DISCOVERY_RATE:
            found.setdefault(one.test, {}).setdefault(one.factor, Split(one.factor, one.text, q_value))
    partners = _together(rows)
    costs = zip(rows.tests, _costs(rows, runs), strict=True)
    return {
        test: Circumstances(tuple(found.get(test, {}).values()), cost, partners.get(test, ())) for test, cost in costs
    }


def _rows(all_rows: TestRuns, runs: Sequence[RunRow]) -> _Rows:
    ids = np.array([run.id for run in runs], np.int64)
    there = np.isin(all_rows.run, ids)
    tests, begin, test = np.unique(all_rows.test[there], return_index=True, return_inverse=True)
    return _Rows(
        tests.tolist(),
        np.append(begin, len(test)),
        test,
        np.searchsorted(ids, all_rows.run[there]),
        all_rows.failed[there],
        all_rows.executed[there],
        all_rows.failed_s[there],
    )


def _newest(history: History) -> int:
    results = sum(run.executed for run in history.runs)
    return max(1, min(NEWEST_RUNS, NEWEST_RESULTS * len(history.runs) // max(results, 1)))


def _slowness(durations: Mapping[int, float], runs: Sequence[RunRow]) -> Floats:
    """Return how much slower the neighbours were in each run than in the median run of its kind: 1 is usual, or NaN."""
    by_kind: dict[tuple[str, str, str], list[float]] = {}
    for run in runs:
        if run.id in durations:
            by_kind.setdefault(run.kind, []).append(durations[run.id])
    # NumPy's median would first import its masked arrays.
    usual = {kind: median(seconds) for kind, seconds in by_kind.items()}
    slowness = [
        durations[run.id] / usual[run.kind] if run.id in durations and usual[run.kind] > 0.0 else np.nan for run in runs
    ]
    # PostgreSQL may add the same durations up in another order each time: what that makes of the last digits is a tie.
    return np.round(slowness, DIGITS)


@dataclass(frozen=True, slots=True)
class _Comparison:
    """A circumstance of a test, with the probability of such a difference by chance."""

    test: int
    factor: str
    text: str
    p_value: float


def _comparisons(rows: _Rows, runs: Sequence[RunRow], slowness: Floats) -> Iterator[_Comparison]:
    """Yield every comparison that has enough runs on both sides."""
    seen = np.flatnonzero(np.bincount(rows.run)).tolist()
    for factor in FACTORS:
        levels = {place: level for place in seen if (level := _level(factor, runs[place]))}
        # A factor that all runs share tells nothing.
        if len(set(levels.values())) > 1:
            yield from _between(rows, factor, levels, len(runs))
    for test, part in rows.parts():
        slow, failed = slowness[rows.run[part]], rows.failed[part] > 0
        bad, good = slow[failed & ~np.isnan(slow)], slow[~failed & ~np.isnan(slow)]
        if len(bad) >= 3 and len(good) >= FEWEST_RUNS:
            ratio = median(bad.tolist()) / median(good.tolist())
            text = (
                f"fails when the machine is slow: in its failed runs the neighbouring tests took {ratio:.1f} times as "
                "long as in the others, a sign of timing sensitivity"
            )
            yield _Comparison(test, "load", text, rank_greater(bad, good))


def _between(rows: _Rows, factor: str, level_of: Mapping[int, str], runs: int) -> Iterator[_Comparison]:
    """Compare each level of a factor with all others, for each test.

    `level_of` is the level by the place of the run, where it is known; there are `runs` of them.
    """
    levels = list(dict.fromkeys(level_of.values()))
    number = {level: place for place, level in enumerate(levels)}
    numbers = np.full(runs, -1)
    numbers[list(level_of)] = [number[level] for level in level_of.values()]
    level = numbers[rows.run]
    known, many = level >= 0, len(levels)
    key = rows.test * many + level
    counts, failures = (
        np.bincount(key[which], minlength=len(rows.tests) * many).reshape(-1, many)
        for which in (known, known & (rows.failed > 0))
    )
    for test, count, failed in zip(rows.tests, counts.tolist(), failures.tolist(), strict=True):
        total, all_failed = sum(count), sum(failed)
        for name, here, bad in zip(levels, count, failed, strict=True):
            if here >= FEWEST_RUNS and total - here >= FEWEST_RUNS:
                text = (
                    f"fails more {_words(factor, name)}: in {bad} of {here} runs, against {all_failed - bad} of "
                    f"{total - here} elsewhere"
                )
                p_value = fisher_greater(bad, here, all_failed - bad, total - here)
                yield _Comparison(test, factor, text, p_value)


def _level(factor: str, run: RunRow) -> str:
    if factor == "job":
        return kind_name(run.kind) + (f" ({run.kind[2]})" if run.kind[2] else "")
    if factor == "hour":
        if run.started_at is None:
            return ""
        start = run.started_at.hour // HOURS * HOURS
        return f"{start:02d}:00 and {start + HOURS:02d}:00"
    return setting(run, factor)


def _words(factor: str, level: str) -> str:
    return {
        "branch": f"on branch {level}",
        "runner": f"on runner {level}",
        "job": f"in job {level}",
        "hour": f"between {level} UTC",
        "cpus": f"on machines with {level} CPU{'s' if level != '1' else ''}",
        "parallel": f"where {level} tests run at a time" if level != "1" else "where tests run one at a time",
        "time_limit_s": f"where a test may take {level} s",
    }[factor]


def _costs(rows: _Rows, runs: Sequence[RunRow]) -> Iterator[Cost]:
    """Yield what each test has cost."""
    failed_in_run = np.array([run.failed for run in runs], np.int64)[rows.run]
    bad, lost = rows.failed > 0, (rows.failed > 0) & (rows.failed == rows.executed)
    columns = (
        np.where(bad, rows.executed - 1, 0),
        lost,
        lost & (failed_in_run == rows.failed),
    )
    sums = (np.bincount(rows.test, weights=column, minlength=len(rows.tests)).astype(np.int64) for column in columns)
    seconds = np.bincount(rows.test, weights=rows.failed_s, minlength=len(rows.tests))
    for spent, *counts in zip(seconds.tolist(), *(column.tolist() for column in sums), strict=True):
        yield Cost(spent / 60.0, *counts)


def _together(rows: _Rows) -> dict[int, tuple[int, ...]]:
    """Return for each test, if there are any, those that fail in mostly the same runs, in ascending order."""
    bad = rows.failed > 0
    runs, column = np.unique(rows.run[bad], return_inverse=True)
    failed = np.zeros((len(rows.tests), len(runs)), np.float32)  # holds whole numbers up to 16 million
    failed[rows.test[bad], column] = 1.0
    times = failed.sum(axis=1).astype(np.int64)
    partners: dict[int, tuple[int, ...]] = {}
    for start in range(0, len(failed), TESTS_AT_ONCE):
        some = slice(start, start + TESTS_AT_ONCE)
        common = (failed[some] @ failed.T).astype(np.int64)
        close = (common >= FEWEST_TOGETHER) & (common >= TOGETHER * (times[some, None] + times - common))
        for place, others in enumerate(close, start=start):
            others[place] = False
            if others.any():
                partners[rows.tests[place]] = tuple(rows.tests[other] for other in np.flatnonzero(others).tolist())
    return partners
