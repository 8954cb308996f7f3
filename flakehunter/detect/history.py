"""What the history says of each test that ever failed: proof, streaks, rate, since when, and the model's odds."""

import math
from bisect import bisect
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate, groupby, pairwise
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from flakehunter.db.queries.history import History, RunRow
from flakehunter.fanout.companion import Companion
from flakehunter.model import Interval
from flakehunter.stats.changepoint import ChangePoint, onset
from flakehunter.stats.history import HistoryPrior
from flakehunter.stats.intervals import jeffreys
from flakehunter.stats.series import Fitted, Series, fit_series

LONG_STREAK = 3
"""So many failing commits in a row are a breakage, not a flake: flips at its ends do not count."""

CHANGE_FROM = 0.5
"""Probability from which a change point is taken for one; below, the test has been flaky as long as it is known."""

CHANGE_RUNS = 30
"""Runs on each side of a change point that are looked at for what else changed there."""

CHANGED = 0.9
"""Share of the runs since then that have what is new, and of those before that have not."""

WORTH_SHARING = 100_000
"""Steps of all series from which a companion fits a part of them: some 50 ms of work."""

COMPANIONS_SHARE = 0.35
"""Of those steps: what the most restless tests take as long for as all others."""

SETTINGS = {
    "branch": "the branch",
    "runner": "the runner",
    "cpus": "the number of CPUs",
    "parallel": "the number of tests at a time",
    "time_limit_s": "the time limit of a test, in seconds,",
}
"""What may change where a test begins to fail: the name in `RunRow`, and words for it."""

MAIN_BRANCHES = ("main", "master", "trunk", "develop")
"""Branches whose newest commit says whether a test is broken now; without one of them, the busiest branch."""


_Scalar = TypeVar("_Scalar", bound=np.generic)


@dataclass(frozen=True, slots=True)
class TestHistory:
    """The history of one test, outages left out."""

    __test__ = False  # the name makes pytest think that this is a test class

    test_id: int
    executed: int
    failed: int
    commits: int
    """Commits at which it was executed."""
    mixed: tuple[str, ...]
    """Commits at which it both failed and passed in jobs of one kind, oldest first: the proof of a flake."""
    mixed_runs: int
    """Runs in which a failed attempt was followed by one that passed, or the other way round."""
    short_streaks: int
    """Failures over one or two commits in a row, with a passing commit before and after."""
    broken_streaks: int
    """Failures over three or more commits in a row without a pass."""
    flips: int
    """Changes between a passing and a failing commit, those of long streaks left out."""
    flip_chances: int
    """Pairs of neighbouring commits in which such a change could have been seen."""
    log_bayes_factor: float
    """Natural log of the model's evidence for "flaky"."""
    rate: Interval
    """Failures by executions while flaky; for other tests, outside of breakages."""
    since: str
    """First commit with a failure that the model puts down to flakiness; empty without one."""
    onset: ChangePoint | None
    """When it began to fail, steps being commits in order; None for a test that never failed while flaky."""
    onset_commits: tuple[str, ...]
    """The commits of the change point: first of its range, most probable, last of its range; empty without one."""
    onset_changes: tuple[str, ...]
    """What else is new since then: runner, branch, size of the machine, in words."""
    last_failed: str
    broken_now: bool
    """The newest commits of the main branch fail throughout, in one kind of job at least."""
    broken_since: str
    kinds: tuple[str, ...]
    """Jobs in which it failed, most failures first."""

    @property
    def has_proof(self) -> bool:
        """Whether different outcomes were seen at one commit in one kind of job."""
        return bool(self.mixed)

    @property
    def only_breakages(self) -> bool:
        """Whether each failure is one of three or more commits in a row."""
        return bool(self.broken_streaks) and not self.flips and not self.mixed


@dataclass(frozen=True, slots=True)
class _Streaks:
    short: int
    long: int
    flips: int
    chances: int


@dataclass(frozen=True, slots=True)
class _Series:
    """One test in one kind of job: rows of `cells` in the order of branches and commits."""

    test_id: int
    kind: int
    commit: npt.NDArray[np.int64]
    steps: Series
    mixed_runs: int
    stretches: int
    """Rows of steps with equal counts."""
    streaks: _Streaks


@dataclass(frozen=True, slots=True)
class _Runs:
    """The runs that are no outages, oldest first, with the place of each one's kind of job and commit."""

    rows: list[RunRow]
    kind: npt.NDArray[np.int64]
    commit: npt.NDArray[np.int64]
    varying: dict[str, str]
    """Those of `SETTINGS` that are not the same in all runs."""


def _runs(history: History) -> _Runs:
    rows = [run for run in history.runs if run.id in history.slot_of]
    slots = [history.slots[history.slot_of[run.id]] for run in rows]
    kind, commit = [slot.kind for slot in slots], [slot.commit for slot in slots]
    varying = {name: words for name, words in SETTINGS.items() if len({getattr(run, name) for run in rows}) > 1}
    return _Runs(rows, np.array(kind, np.int64), np.array(commit, np.int64), varying)


def summarise(
    history: History, *, p_flaky: float, prior: HistoryPrior | None = None, companion: Companion | None = None
) -> dict[int, TestHistory]:
    """Return the history of each test that ever failed outside of outages, by test case id.

    `p_flaky` is the prior probability that a test is flaky; it decides where the rate and `since` are read off.
    A `companion` does a part of the work.
    """
    if not len(history.cells):
        return {}
    fit = partial(fit_series, p_flaky=p_flaky, prior=prior)
    tests = [list(series) for _, series in groupby(_split(history, _branch_numbers(history)), lambda one: one.test_id)]
    own, others = (tests, []) if companion is None else _shared(tests)
    coming = companion.submit(fit, _steps(others), name="the fit of some tests") if companion and others else None
    runs = _runs(history)
    summaries = _summaries(own, fit(_steps(own)), history, runs, p_flaky)
    return summaries | _summaries(others, coming.result(), history, runs, p_flaky) if coming else summaries


def _shared(tests: list[list[_Series]]) -> tuple[list[list[_Series]], list[list[_Series]]]:
    """Divide tests into those that this process fits, and those that a companion does.

    A round of steps takes as long as the series of it with the most stretches. So the companion has the most restless
    tests, and this process the others, whose fits it has looked at when the companion is done.
    """
    ordered = sorted(tests, key=lambda series: -max(one.stretches for one in series))
    steps = list(accumulate(sum(len(one.steps.bad) for one in series) for series in ordered))
    many = bisect(steps, COMPANIONS_SHARE * steps[-1]) if steps[-1] >= WORTH_SHARING else 0
    return ordered[many:], ordered[:many]


def _summaries(
    tests: Iterable[Iterable[_Series]], fits: Iterable[Fitted], history: History, runs: _Runs, p_flaky: float
) -> dict[int, TestHistory]:
    """Return the history of each test; `fits` are those of all its series, one test after the other."""
    rest = iter(fits)
    pairs = ([(one, next(rest)) for one in series] for series in tests)
    return {of_test[0][0].test_id: _summary(of_test, history, runs, p_flaky) for of_test in pairs}


def _steps(tests: Iterable[Iterable[_Series]]) -> list[Series]:
    return [one.steps for series in tests for one in series]


def _branch_numbers(history: History) -> dict[str, int]:
    """Number the branches, the main one last: the newest step of a series is then on it where it has been there."""
    seen = Counter(run.branch for run in history.runs)
    main = next((name for name in MAIN_BRANCHES if name in seen), None)
    if main is None:
        main = max(seen, key=lambda name: (seen[name], name))
    return {name: index for index, name in enumerate([*sorted(set(seen) - {main}), main])}


def _split(history: History, branches: dict[str, int]) -> list[_Series]:
    slots = history.slots
    kind = np.array([slot.kind for slot in slots], np.int64)
    branch = np.array([branches[slot.branch] for slot in slots], np.int64)
    commit = np.array([slot.commit for slot in slots], np.int64)
    # One number for test and slot, which is mostly in order already.
    rank = np.argsort(np.lexsort((commit, branch, kind)))
    key = history.cells[:, 0] * len(slots) + rank[history.cells[:, 1]]
    columns = np.ascontiguousarray(history.cells.T)
    if (key[1:] < key[:-1]).any():
        columns = columns[:, np.argsort(key, kind="stable")]
    test, slot, bad, executed, mixed = columns
    kind, branch, commit = kind[slot], branch[slot], commit[slot]
    changes = (test[1:] != test[:-1]) | (kind[1:] != kind[:-1])
    first = np.concatenate([[True], changes | (branch[1:] != branch[:-1])])
    begin = np.concatenate([[0], np.flatnonzero(changes) + 1])
    streaks = _streaks(bad == executed, first, begin)
    other = first.copy()
    other[1:] |= (bad[1:] != bad[:-1]) | (executed[1:] != executed[:-1])
    mixed_runs, stretches = (np.add.reduceat(column, begin).tolist() for column in (mixed, other.astype(np.int64)))
    parts = [slice(*pair) for pair in pairwise([*begin.tolist(), len(test)])]
    rows = zip(test[begin].tolist(), kind[begin].tolist(), parts, mixed_runs, stretches, streaks, strict=True)
    return [
        _Series(test_id, job, commit[part], Series(bad[part], executed[part], first[part]), retried, many, streak)
        for test_id, job, part, retried, many, streak in rows
    ]


def _streaks(
    failing: npt.NDArray[np.bool_], first: npt.NDArray[np.bool_], begin: npt.NDArray[np.int64]
) -> list[_Streaks]:
    """Count the streaks of failing commits of each branch by length, and the flips that long ones do not explain.

    Args:
        failing: (n,) whether each step of all series fails throughout.
        first: (n,) whether it is the first of a branch.
        begin: (s,) where each series begins.
    """
    begins = first.copy()
    begins[1:] |= failing[1:] != failing[:-1]
    start = np.flatnonzero(begins)
    length = np.diff(start, append=len(failing))
    # Whether another streak of the same branch comes before it, and after it.
    before = ~first[start]
    sides = before.astype(np.int64) + np.append(before[1:], False)
    long = failing[start] & (length >= LONG_STREAK)
    short = failing[start] & ~long
    # Each series begins with a streak: where its streaks begin among all.
    at = np.searchsorted(start, begin)
    steps = np.diff(begin, append=len(failing)) - np.add.reduceat(first.astype(np.int64), begin)
    columns = (
        np.add.reduceat((short & (sides == 2)).astype(np.int64), at),
        np.add.reduceat(long.astype(np.int64), at),
        np.add.reduceat(np.where(short, sides, 0), at),
        np.maximum(0, steps - np.add.reduceat(np.where(long, length, 0), at)),
    )
    return [_Streaks(*counts) for counts in zip(*(column.tolist() for column in columns), strict=True)]


def combine_kinds(log_bayes_factors: Sequence[float]) -> float:
    """Return the evidence for a flaky test from its kinds of job: flaky in all of them alike, or in any one alone.

    Both stories have the same prior; the second is the mean over the kinds, so that many kinds do not make one of
    them stand out by chance.
    """
    together = sum(log_bayes_factors)
    alone = np.logaddexp.reduce(np.array(log_bayes_factors)) - np.log(len(log_bayes_factors))
    return float(np.logaddexp(together, alone) - np.log(2.0))


def _joined(arrays: Sequence[npt.NDArray[_Scalar]]) -> npt.NDArray[_Scalar]:
    """Return arrays as one; most tests run in one kind of job, so that there is nothing to copy."""
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)


def _summary(pairs: list[tuple[_Series, Fitted]], history: History, runs: _Runs, p_flaky: float) -> TestHistory:
    log_bayes = combine_kinds([fit.log_bayes_factor for _, fit in pairs])
    commit = _joined([one.commit for one, _ in pairs])
    bad, executed = _joined([one.steps.bad for one, _ in pairs]), _joined([one.steps.executed for one, _ in pairs])
    flaky, broken = _joined([fit.flaky for _, fit in pairs]), _joined([fit.broken for _, fit in pairs])
    failing = bad > 0
    mixed = np.flatnonzero(np.bincount(commit[failing & (bad < executed)])).tolist()
    posterior = math.log(p_flaky / (1.0 - p_flaky)) + log_bayes
    counted = flaky if posterior >= 0.0 and flaky.any() else ~broken
    flaked = commit[failing & flaky]
    streaks = [one.streaks for one, _ in pairs]
    onset_at, places = _onset(commit, bad, executed, ~broken) if len(flaked) else (None, ())
    onset_commits = tuple(history.commits[place] for place in places)
    broken_since = [since for one, fit in pairs if (since := _broken_since(one, fit)) is not None]
    failures = [(int(one.steps.bad.sum()), one.kind) for one, _ in pairs]
    failed_in = sorted((pair for pair in failures if pair[0]), reverse=True)
    return TestHistory(
        test_id=pairs[0][0].test_id,
        executed=int(executed.sum()),
        failed=sum(count for count, _ in failures),
        commits=int(np.count_nonzero(np.bincount(commit))),
        mixed=tuple(history.commits[index] for index in mixed),
        mixed_runs=sum(one.mixed_runs for one, _ in pairs),
        short_streaks=sum(streak.short for streak in streaks),
        broken_streaks=sum(streak.long for streak in streaks),
        flips=sum(streak.flips for streak in streaks),
        flip_chances=sum(streak.chances for streak in streaks),
        log_bayes_factor=log_bayes,
        rate=jeffreys(int(bad[counted].sum()), int(executed[counted].sum())),
        since=_since(onset_at, onset_commits, flaked, history),
        onset=onset_at,
        onset_commits=onset_commits,
        onset_changes=_changes(onset_at, places, {one.kind for one, _ in pairs}, runs),
        last_failed=history.commits[int(commit[failing].max())] if failing.any() else "",
        broken_now=bool(broken_since),
        broken_since=history.commits[min(broken_since)] if broken_since else "",
        kinds=tuple(kind_name(history.kinds[kind]) for _, kind in failed_in),
    )


def _onset(
    commit: npt.NDArray[np.int64],
    bad: npt.NDArray[np.int64],
    executed: npt.NDArray[np.int64],
    counted: npt.NDArray[np.bool_],
) -> tuple[ChangePoint, tuple[int, ...]]:
    """Return the change point over all kinds of job and branches in the order of commits, of the steps that count.

    With it the places of its commits: first of its range, most probable, last of its range.
    """
    at = commit[counted]
    # Commits are places in a list, so that nothing has to be sorted.
    places = np.flatnonzero(np.bincount(at))
    failures, runs = (np.bincount(at, weights=one[counted])[places].astype(np.int64) for one in (bad, executed))
    found = onset(failures, runs)
    return found, tuple(int(places[step]) for step in (found.low, found.step, found.high))


def _since(found: ChangePoint | None, commits: tuple[str, ...], flaked: npt.NDArray[np.int64], history: History) -> str:
    """Return the commit where the flake began: the change point, else the first that flaked."""
    if found is None:
        return ""
    if found.probability >= CHANGE_FROM:
        return commits[1]
    return history.commits[int(flaked.min())]


def _changes(found: ChangePoint | None, places: tuple[int, ...], kinds: set[int], runs: _Runs) -> tuple[str, ...]:
    """Return what nearly all runs have since the change point and nearly none had before it."""
    if found is None or found.probability < CHANGE_FROM or not found.step or not runs.varying:
        return ()
    there, since = np.isin(runs.kind, list(kinds)), runs.commit >= places[1]
    before = [runs.rows[place] for place in np.flatnonzero(there & ~since)[-CHANGE_RUNS:].tolist()]
    after = [runs.rows[place] for place in np.flatnonzero(there & since)[:CHANGE_RUNS].tolist()]
    changes = []
    for name, words in runs.varying.items():
        old = Counter(setting(run, name) for run in before)
        new = Counter(setting(run, name) for run in after)
        if not old or not new:
            continue
        (level, count), (former, _) = new.most_common(1)[0], old.most_common(1)[0]
        if level and former and count >= CHANGED * new.total() and old[level] <= (1.0 - CHANGED) * old.total():
            changes.append(f"{words} changed from {former} to {level}")
    return tuple(changes)


def setting(run: RunRow, name: str) -> str:
    """Return one of `SETTINGS` of a run as text; empty when it is not known."""
    value = getattr(run, name)
    return f"{value:g}" if isinstance(value, float) else str(value or "")


def kind_name(kind: tuple[str, str, str]) -> str:
    """Return the name of a kind of job as shown to users."""
    workflow, job, _os = kind
    return " / ".join(part for part in (workflow, job) if part) or "unnamed job"


def _broken_since(one: _Series, fit: Fitted) -> int | None:
    """Return the first commit of the breakage that the newest step is in, or None."""
    steps = one.steps
    if not fit.broken[-1] or steps.bad[-1] < steps.executed[-1]:
        return None
    start = len(steps.bad) - 1
    while start and not steps.first[start] and fit.broken[start - 1]:
        start -= 1
    return int(one.commit[start])
