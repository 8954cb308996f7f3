"""What the history says of each test that ever failed: proof, streaks, rate, since when, and the model's odds."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from flakehunter.db.queries.history import History, RunRow
from flakehunter.model import Interval
from flakehunter.stats.changepoint import ChangePoint, onset
from flakehunter.stats.history import BROKEN, FLAKY, HistoryFit, HistoryPrior, fit_histories
from flakehunter.stats.intervals import jeffreys

LONG_STREAK = 3
"""So many failing commits in a row are a breakage, not a flake: flips at its ends do not count."""

CHANGE_FROM = 0.5
"""Probability from which a change point is taken for one; below, the test has been flaky as long as it is known."""

CHANGE_RUNS = 30
"""Runs on each side of a change point that are looked at for what else changed there."""

CHANGED = 0.9
"""Share of the runs since then that have what is new, and of those before that have not."""

MOST_PADDED = 1.25
"""Steps of series that are fitted together, each as long as the longest, over the steps that they have."""

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
class _Series:
    """One test in one kind of job: rows of `cells` in the order of branches and commits."""

    test_id: int
    kind: int
    branch: npt.NDArray[np.int64]
    commit: npt.NDArray[np.int64]
    bad: npt.NDArray[np.int64]
    executed: npt.NDArray[np.int64]
    mixed_runs: npt.NDArray[np.int64]

    @property
    def first(self) -> npt.NDArray[np.bool_]:
        """Return which steps begin a branch."""
        return np.concatenate([[True], self.branch[1:] != self.branch[:-1]])


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


def summarise(history: History, *, p_flaky: float, prior: HistoryPrior | None = None) -> dict[int, TestHistory]:
    """Return the history of each test that ever failed outside of outages, by test case id.

    `p_flaky` is the prior probability that a test is flaky; it decides where the rate and `since` are read off.
    """
    if not len(history.cells):
        return {}
    branches = _branch_numbers(history)
    series = list(_split(history, branches))
    fits = list(_fit(series, p_flaky, prior))
    runs = _runs(history)
    by_test = groupby(zip(series, fits, strict=True), key=lambda pair: pair[0].test_id)
    return {test_id: _summary(test_id, list(pairs), history, runs, p_flaky) for test_id, pairs in by_test}


def _branch_numbers(history: History) -> dict[str, int]:
    """Number the branches, the main one last: the newest step of a series is then on it where it has been there."""
    seen = Counter(run.branch for run in history.runs)
    main = next((name for name in MAIN_BRANCHES if name in seen), None)
    if main is None:
        main = max(seen, key=lambda name: (seen[name], name))
    return {name: index for index, name in enumerate([*sorted(set(seen) - {main}), main])}


def _split(history: History, branches: dict[str, int]) -> Iterator[_Series]:
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
    changes = np.flatnonzero((np.diff(test) != 0) | (np.diff(kind[slot]) != 0)) + 1
    for start, end in pairwise([0, *changes.tolist(), len(test)]):
        part = slice(start, end)
        yield _Series(
            int(test[start]),
            int(kind[slot[start]]),
            branch[slot[part]],
            commit[slot[part]],
            bad[part],
            executed[part],
            mixed[part],
        )


@dataclass(frozen=True, slots=True)
class _Fitted:
    log_bayes_factor: float
    states: npt.NDArray[np.float32]


def _fit(series: Sequence[_Series], p_flaky: float, prior: HistoryPrior | None) -> Iterator[_Fitted]:
    """Fit all series, those of like length together so that little of the arrays is padding."""
    fitted: dict[int, _Fitted] = {}
    for indices in _alike([len(one.bad) for one in series]):
        length = len(series[indices[0]].bad)
        bad, executed = (np.zeros((len(indices), length), np.int64) for _ in range(2))
        first = np.zeros((len(indices), length), np.bool_)
        for row, index in enumerate(indices):
            one = series[index]
            bad[row, : len(one.bad)] = one.bad
            executed[row, : len(one.bad)] = one.executed
            first[row, : len(one.bad)] = one.first
        fit: HistoryFit = fit_histories(bad, executed, first, p_flaky=p_flaky, prior=prior)
        for row, index in enumerate(indices):
            states = fit.states[row, : len(series[index].bad)]
            fitted[index] = _Fitted(float(fit.log_bayes_factor[row]), states)
    return (fitted[index] for index in range(len(series)))


def _alike(lengths: Sequence[int]) -> list[list[int]]:
    """Divide places by their lengths, the longest first, so that at most `MOST_PADDED` is needed for all in a group.

    Each group is a round of steps, one after the other, so there should be few of them.
    """
    groups: list[list[int]] = []
    whole = longest = 0
    for place in sorted(range(len(lengths)), key=lambda place: -lengths[place]):
        whole += lengths[place]
        if not groups or longest * (len(groups[-1]) + 1) > MOST_PADDED * whole:
            groups.append([])
            whole = longest = lengths[place]
        groups[-1].append(place)
    return groups


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


def _summary(
    test_id: int, pairs: list[tuple[_Series, _Fitted]], history: History, runs: _Runs, p_flaky: float
) -> TestHistory:
    log_bayes = combine_kinds([fit.log_bayes_factor for _, fit in pairs])
    commit, bad, executed = (
        _joined([getattr(one, name) for one, _ in pairs]) for name in ("commit", "bad", "executed")
    )
    states = _joined([fit.states for _, fit in pairs])
    failing = bad > 0
    mixed = np.flatnonzero(np.bincount(commit[failing & (bad < executed)])).tolist()
    posterior = math.log(p_flaky / (1.0 - p_flaky)) + log_bayes
    flaky_steps = states[:, FLAKY] >= 0.5
    counted = flaky_steps if posterior >= 0.0 and flaky_steps.any() else states[:, BROKEN] < 0.5
    flaked = commit[failing & flaky_steps]
    streaks = [_streaks(one) for one, _ in pairs]
    onset_at, places = _onset(commit, bad, executed, states) if len(flaked) else (None, ())
    onset_commits = tuple(history.commits[place] for place in places)
    broken = [since for one, fit in pairs if (since := _broken_since(one, fit)) is not None]
    failed_in = sorted(((int(one.bad.sum()), one.kind) for one, _ in pairs if one.bad.any()), reverse=True)
    return TestHistory(
        test_id=test_id,
        executed=int(executed.sum()),
        failed=int(bad.sum()),
        commits=int(np.count_nonzero(np.bincount(commit))),
        mixed=tuple(history.commits[index] for index in mixed),
        mixed_runs=int(sum(one.mixed_runs.sum() for one, _ in pairs)),
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
        broken_now=bool(broken),
        broken_since=history.commits[min(broken)] if broken else "",
        kinds=tuple(kind_name(history.kinds[kind]) for _, kind in failed_in),
    )


def _onset(
    commit: npt.NDArray[np.int64],
    bad: npt.NDArray[np.int64],
    executed: npt.NDArray[np.int64],
    states: npt.NDArray[np.float32],
) -> tuple[ChangePoint, tuple[int, ...]]:
    """Return the change point over all kinds of job and branches in the order of commits, breakages left out.

    With it the places of its commits: first of its range, most probable, last of its range.
    """
    counted = states[:, BROKEN] < 0.5
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


@dataclass(frozen=True, slots=True)
class _Streaks:
    short: int
    long: int
    flips: int
    chances: int


def _streaks(one: _Series) -> _Streaks:
    """Count the streaks of failing commits of each branch by length, and the flips that long ones do not explain."""
    failing = one.bad == one.executed
    begins = one.first
    begins[1:] |= failing[1:] != failing[:-1]
    start = np.flatnonzero(begins)
    length = np.diff(start, append=len(failing))
    # Whether another streak of the same branch comes before it, and after it.
    before = ~one.first[start]
    sides = before.astype(np.int64) + np.append(before[1:], False)
    long = failing[start] & (length >= LONG_STREAK)
    short = failing[start] & ~long
    return _Streaks(
        short=int((sides[short] == 2).sum()),
        long=int(long.sum()),
        flips=int(sides[short].sum()),
        chances=max(0, len(failing) - int(one.first.sum()) - int(length[long].sum())),
    )


def _broken_since(one: _Series, fit: _Fitted) -> int | None:
    """Return the first commit of the breakage that the newest step is in, or None."""
    if fit.states[-1, BROKEN] < 0.5 or one.bad[-1] < one.executed[-1]:
        return None
    start = len(one.bad) - 1
    while start and not one.first[start] and fit.states[start - 1, BROKEN] >= 0.5:
        start -= 1
    return int(one.commit[start])
