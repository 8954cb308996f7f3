"""Where and when flaky tests fail: branch, runner, system, hour, load, ...; what they cost; who fails with them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from sqlalchemy import Connection

from flakehunter.db.queries.history import History, RunRow, TestRun, neighbour_durations, runs_of_tests
from flakehunter.detect.history import kind_name, setting
from flakehunter.stats.splits import fisher_greater, q_values, rank_greater

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


def look_around(
    connection: Connection, history: History, test_ids: Sequence[int], durations: Mapping[int, float]
) -> dict[int, Circumstances]:
    """Return the circumstances of each of the given (flaky) tests; `durations` are what `loads` returned."""
    if not test_ids:
        return {}
    out = {run.id for run in history.outages}
    runs = {run.id: run for run in history.runs if run.id not in out}
    rows: dict[int, list[TestRun]] = {}
    for row in runs_of_tests(connection, test_ids, newest=_newest(history)):
        if row.run_id in runs:
            rows.setdefault(row.test_id, []).append(row)
    slowness = _slowness(durations, runs)
    seen = {row.run_id for of_test in rows.values() for row in of_test}
    levels = _levels({run: runs[run] for run in seen})
    candidates = [(test, *one) for test in rows for one in _comparisons(rows[test], levels, slowness)]
    values = q_values([p_value for _, _, _, p_value in candidates])
    found: dict[int, dict[str, Split]] = {}
    for (test, factor, text, _), q_value in sorted(zip(candidates, values, strict=True), key=lambda pair: pair[1]):
        if q_value <= FALSE_DISCOVERY_RATE:
            found.setdefault(test, {}).setdefault(factor, Split(factor, text, q_value))
    partners = _together(rows)
    return {
        test: Circumstances(tuple(found.get(test, {}).values()), _cost(rows[test], runs), partners.get(test, ()))
        for test in rows
    }


def _newest(history: History) -> int:
    results = sum(run.executed for run in history.runs)
    return max(1, min(NEWEST_RUNS, NEWEST_RESULTS * len(history.runs) // max(results, 1)))


def _slowness(durations: Mapping[int, float], runs: Mapping[int, RunRow]) -> dict[int, float]:
    """Return how much slower the neighbours were in each run than in the median run of its kind: 1 is usual."""
    by_kind: dict[tuple[str, str, str], list[float]] = {}
    for run, seconds in durations.items():
        if run in runs:
            by_kind.setdefault(runs[run].kind, []).append(seconds)
    median = {kind: float(np.median(seconds)) for kind, seconds in by_kind.items()}
    return {
        run: seconds / median[runs[run].kind]
        for run, seconds in durations.items()
        if run in runs and median[runs[run].kind] > 0.0
    }


def _levels(runs: Mapping[int, RunRow]) -> dict[str, dict[int, str]]:
    """Return the level of each factor in each run, where it is known; factors that all runs share tell nothing."""
    levels = {factor: {id_: level for id_, run in runs.items() if (level := _level(factor, run))} for factor in FACTORS}
    return {factor: of_run for factor, of_run in levels.items() if len(set(of_run.values())) > 1}


def _comparisons(
    rows: Sequence[TestRun], levels: Mapping[str, Mapping[int, str]], slowness: Mapping[int, float]
) -> Iterator[tuple[str, str, float]]:
    """Yield factor, text and p-value of every comparison that has enough runs on both sides."""
    for factor, of_run in levels.items():
        counts: dict[str, list[int]] = {}
        for row in rows:
            level = of_run.get(row.run_id)
            if level:
                count = counts.setdefault(level, [0, 0])
                count[0] += bool(row.failed)
                count[1] += 1
        failed, total = (sum(count[place] for count in counts.values()) for place in (0, 1))
        for level, (bad, many) in counts.items():
            if many >= FEWEST_RUNS and total - many >= FEWEST_RUNS:
                text = (
                    f"fails more {_words(factor, level)}: in {bad} of {many} runs, against {failed - bad} of "
                    f"{total - many} elsewhere"
                )
                yield factor, text, fisher_greater(bad, many, failed - bad, total - many)
    bad_load = np.array([slowness[row.run_id] for row in rows if row.failed and row.run_id in slowness])
    good_load = np.array([slowness[row.run_id] for row in rows if not row.failed and row.run_id in slowness])
    if len(bad_load) >= 3 and len(good_load) >= FEWEST_RUNS:
        ratio = float(np.median(bad_load) / np.median(good_load))
        text = (
            f"fails when the machine is slow: in its failed runs the neighbouring tests took {ratio:.1f} times as long "
            "as in the others, a sign of timing sensitivity"
        )
        yield "load", text, rank_greater(bad_load, good_load)


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


def _cost(rows: Sequence[TestRun], runs: Mapping[int, RunRow]) -> Cost:
    lost = [row for row in rows if row.failed and row.failed == row.executed]
    return Cost(
        failed_minutes=sum(row.failed_s for row in rows) / 60.0,
        retries=sum(row.executed - 1 for row in rows if row.failed),
        builds_lost=len(lost),
        builds_lost_alone=sum(runs[row.run_id].failed == row.failed for row in lost),
    )


def _together(rows: Mapping[int, Sequence[TestRun]]) -> dict[int, tuple[int, ...]]:
    failed = {test: {row.run_id for row in of_test if row.failed} for test, of_test in rows.items()}
    partners: dict[int, list[int]] = {}
    tests = sorted(failed)
    for place, one in enumerate(tests):
        for other in tests[place + 1 :]:
            common = len(failed[one] & failed[other])
            if common >= FEWEST_TOGETHER and common >= TOGETHER * len(failed[one] | failed[other]):
                partners.setdefault(one, []).append(other)
                partners.setdefault(other, []).append(one)
    return {test: tuple(others) for test, others in partners.items()}
