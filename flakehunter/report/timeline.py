"""The order of commits, and what flakes cost over time."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from flakehunter.db.queries.report import RunRow, RunTotals
from flakehunter.db.queries.report_tests import ResultRow, Tries
from flakehunter.report.views import Commit, Cost, Period, Trend

FEWEST_PERIODS = 4
"""Weeks, or days, that a history must span to be drawn in them; a shorter one is drawn by commit."""

MOST_PERIODS = 60
"""Bars that can still be told apart; older periods are left out of the picture."""


@dataclass(frozen=True, slots=True)
class RunLoss:
    """The tests whose last attempt failed in a run, apart by whether they are flaky."""

    flaky: frozenset[int]
    other: frozenset[int]

    @property
    def lost(self) -> bool:
        """Whether the run is red because of flaky tests alone."""
        return bool(self.flaky) and not self.other


def order_commits(runs: Iterable[RunRow]) -> dict[str, Commit]:
    """Return the commits by hash, oldest first: by the start of their first run, else as they were stored."""
    first: dict[str, datetime | None] = {}
    for run in runs:
        known = first.setdefault(run.commit, run.started_at)
        if run.started_at is not None and (known is None or run.started_at < known):
            first[run.commit] = run.started_at
    stored = {sha: place for place, sha in enumerate(first)}
    moments = _fill_gaps(first)
    ordered = sorted(first, key=lambda sha: (moments[sha], stored[sha]))
    return {sha: Commit(sha, position, first[sha]) for position, sha in enumerate(ordered)}


def _fill_gaps(first: Mapping[str, datetime | None]) -> dict[str, float]:
    """Give a commit without a moment that of the commit stored before it, so that it keeps its place."""
    moments, last = {}, 0.0
    for sha, moment in first.items():
        last = last if moment is None else moment.timestamp()
        moments[sha] = last
    return moments


def losses(bad: Iterable[ResultRow], retried: Iterable[ResultRow], flaky: set[int]) -> dict[int, RunLoss]:
    """Return which tests made each run red: those whose last attempt in it failed.

    `bad` are all failed attempts, `retried` all attempts after the first, `flaky` the ids of the flaky tests.
    """
    last: dict[tuple[int, int], ResultRow] = {}
    for row in retried:
        known = last.get((row.run_id, row.test_id))
        if known is None or row.attempt >= known.attempt:
            last[row.run_id, row.test_id] = row
    red: dict[int, tuple[set[int], set[int]]] = defaultdict(lambda: (set(), set()))
    for row in bad:
        final = last.get((row.run_id, row.test_id), row)
        if final.outcome.is_bad:
            red[row.run_id][row.test_id not in flaky].add(row.test_id)
    return {run: RunLoss(frozenset(ours), frozenset(other)) for run, (ours, other) in red.items()}


def losses_with(lost: Mapping[int, RunLoss], tests: set[int]) -> dict[int, RunLoss]:
    """Return the losses in which one of `tests` has a part; to its owner, all other red runs are someone else's."""
    return {
        run: loss if loss.flaky & tests else RunLoss(frozenset(), loss.flaky | loss.other) for run, loss in lost.items()
    }


def cost(
    runs: Sequence[RunRow],
    totals: Mapping[int, RunTotals],
    lost: Mapping[int, RunLoss],
    flaky_failures: int,
) -> Cost:
    """Return what flakes cost over all `runs`."""
    ids = [run.id for run in runs]
    return Cost(
        jobs=len(ids),
        red=sum(run in lost for run in ids),
        lost=sum(lost[run].lost for run in ids if run in lost),
        lost_s=sum(totals[run].seconds for run in ids if run in lost and lost[run].lost and run in totals),
        total_s=sum(totals[run].seconds for run in ids if run in totals),
        flaky_failures=flaky_failures,
    )


def trend(
    runs: Sequence[RunRow],
    commits: Mapping[str, Commit],
    totals: Mapping[int, RunTotals],
    lost: Mapping[int, RunLoss],
    tries: Mapping[int, Tries],
) -> Trend:
    """Return how the jobs ended by week, by day or, for a short or undated history, by commit.

    `tries` has, by run, the attempts of the tests that are flaky.
    """
    dated = [run.started_at.date() for run in runs if run.started_at is not None]
    unit = "commit"
    if len(dated) == len(runs) and dated:
        if (max(dated) - min(dated)).days >= 7 * (FEWEST_PERIODS - 1):
            unit = "week"
        elif (max(dated) - min(dated)).days >= FEWEST_PERIODS - 1:
            unit = "day"
    groups: dict[str, list[RunRow]] = {label: [] for label in _labels(unit, dated, commits)}
    for run in runs:
        groups[_label(unit, run, commits)].append(run)
    periods = [_period(label, group, totals, lost, tries) for label, group in groups.items()]
    return Trend(unit, periods[-MOST_PERIODS:])


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _labels(unit: str, dated: Sequence[date], commits: Mapping[str, Commit]) -> list[str]:
    if unit == "commit":
        return [commit.short for commit in commits.values()]
    step = timedelta(days=7 if unit == "week" else 1)
    day = _monday(min(dated)) if unit == "week" else min(dated)
    labels = []
    while day <= max(dated):
        labels.append(day.isoformat())
        day += step
    return labels


def _label(unit: str, run: RunRow, commits: Mapping[str, Commit]) -> str:
    if unit == "commit" or run.started_at is None:
        return commits[run.commit].short
    day = run.started_at.date()
    return (_monday(day) if unit == "week" else day).isoformat()


def _period(
    label: str,
    group: Sequence[RunRow],
    totals: Mapping[int, RunTotals],
    lost: Mapping[int, RunLoss],
    tries: Mapping[int, Tries],
) -> Period:
    counts: Counter[str] = Counter()
    seconds = 0.0
    for run in group:
        if run.id in tries:
            counts["failures"] += tries[run.id].failures
            counts["attempts"] += tries[run.id].attempts
        loss = lost.get(run.id)
        if loss is None:
            continue
        counts["lost" if loss.lost else "broken"] += 1
        if loss.lost and run.id in totals:
            seconds += totals[run.id].seconds
    return Period(label, len(group), counts["lost"], counts["broken"], seconds, counts["failures"], counts["attempts"])
