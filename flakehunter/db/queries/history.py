"""The history of all tests as aggregates: runs, outages, and failures by test, kind of job, branch and commit."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import ColumnElement, Connection, Select, case, func, select

from flakehunter.db.queries.packing import BAD as BAD_CODE
from flakehunter.db.queries.packing import SKIPPED, Packed, Part
from flakehunter.db.queries.projects import of_project
from flakehunter.db.queries.rollups import read_parts, read_pruned
from flakehunter.db.queries.tally import Table, by_run, by_slot, by_test, failures
from flakehunter.db.schema import Artifact, Project, Result, Run
from flakehunter.model import Outcome

Ints = npt.NDArray[np.int64]

OUTAGE_SHARE = 0.8
"""A run in which more than this share of the results are failures says nothing of any single test."""

OUTAGE_MIN_TESTS = 5
"""With fewer tests in a run, all of them failing is not yet a sign of an outage."""

OUTAGE_MAX_RUNS = 0.5
"""A kind of job in which more than this share of the runs looks like an outage is broken, not out."""

IDS_AT_ONCE = 500
"""Ids in one IN list; SQLite takes 32766 parameters, and plans do not improve with longer lists."""

BAD = Result.outcome.in_([Outcome.FAILED, Outcome.ERRORED])
"""SQL condition: the attempt counts as a failure."""

EXECUTED = Result.outcome != Outcome.SKIPPED
"""SQL condition: the attempt says anything at all."""


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run: an attempt of a job at a commit."""

    id: int
    commit: str
    """The commit, or a name of the run's own where the commit is unknown: such runs share no commit."""
    kind: tuple[str, str, str]
    """Workflow, job and operating system: only runs of one kind are compared with each other."""
    branch: str
    runner: str
    started_at: datetime | None
    executed: int
    failed: int
    cpus: int | None = None
    parallel: int | None = None
    """How many tests run at a time."""
    time_limit_s: float | None = None
    """How long one test may take."""


@dataclass(frozen=True, slots=True)
class Slot:
    """Where runs are the same but for chance: one kind of job, one branch, one commit."""

    kind: int
    branch: str
    commit: int


@dataclass(frozen=True, slots=True)
class History:
    """The results of one project, outages left out, as aggregates.

    `cells` has one row for each test that ever failed and each slot it was executed in: test case id, slot index,
    failures, executions, and runs in which it both failed and passed; in the order of tests and slots. `totals` has,
    for every test: test case id, failures and executions, outages left out.
    """

    runs: list[RunRow]
    commits: list[str]
    """Oldest first."""
    kinds: list[tuple[str, str, str]]
    slots: list[Slot]
    outages: list[RunRow]
    cells: Ints
    totals: Ints
    outage_failures: dict[int, int]
    """Failures in outages by test case id."""
    slot_of: dict[int, int]
    """Slot of each run that is no outage, by run id."""
    failures: Ints
    """(n, 2) test case id and run id of every failed attempt, those in outages too."""

    @property
    def ever_failed(self) -> list[int]:
        """Return the ids of the tests that have cells, in ascending order."""
        test = self.cells[:, 0]
        # Its rows stand in the order of tests: the first of each is told by the one before it.
        ids: list[int] = test[np.flatnonzero(np.diff(test, prepend=-1))].tolist()
        return ids


def project_names(connection: Connection) -> list[str]:
    """Return the names of all projects."""
    return list(connection.scalars(select(Project.name).order_by(Project.name)))


def read_history(
    connection: Connection, project: str, *, outage_share: float = OUTAGE_SHARE, test_id: int | None = None
) -> History:
    """Read the history of `project`, of all its tests or of one, from its rollups; see `read_results`."""
    return history_of(read_results(connection, project, outage_share=outage_share), test_id=test_id)


@dataclass(frozen=True, slots=True)
class Results:
    """The results of one project, and the runs that they are of."""

    parts: list[Part]
    runs: list[RunRow]
    outages: list[RunRow]


def read_results(connection: Connection, project: str, *, outage_share: float = OUTAGE_SHARE) -> Results:
    """Read all results of `project`, from its rollups and from rows what is in none.

    Runs in which more than `outage_share` of the results failed are outages: they are listed, and count nowhere else.
    """
    parts = read_parts(connection, project)
    runs = _runs(connection, project, parts)
    return Results(parts, runs, find_outages(runs, share=outage_share))


def history_of(results: Results, *, test_id: int | None = None) -> History:
    """Return the history of all tests, or of one."""
    parts, runs, outages = results.parts, results.runs, results.outages
    out = {run.id for run in outages}
    usable = [run for run in runs if run.id not in out]
    commits = _commit_order(runs)
    place = {commit: index for index, commit in enumerate(commits)}
    kinds = sorted({run.kind for run in usable})
    kind_place = {kind: index for index, kind in enumerate(kinds)}
    slot_place: dict[Slot, int] = {}
    slot_of: dict[int, int] = {}
    for run in usable:
        slot = Slot(kind_place[run.kind], run.branch, place[run.commit])
        slot_of[run.id] = slot_place.setdefault(slot, len(slot_place))
    ids = [run.id for run in runs]
    slots, places = Table(ids, [slot_of.get(id_, -1) for id_ in ids]), Table(ids, range(len(ids)))
    failed = failures(parts)
    out_tests, out_counts = np.unique(failed.test[slots.of(failed.run) < 0], return_counts=True)
    if test_id is not None:
        parts = [part.of_test(test_id) for part in parts]
        failed = failed.of_test(test_id)
    totals = by_test(parts, slots)
    ever_failed = totals[totals[:, 1] > 0, 0]
    return History(
        runs=runs,
        commits=commits,
        kinds=kinds,
        slots=list(slot_place),
        outages=outages,
        cells=by_slot(parts, slots, ever_failed, runs=places, many=(len(slot_place), len(ids))),
        totals=totals,
        outage_failures=dict(zip(out_tests.tolist(), out_counts.tolist(), strict=True)),
        slot_of=slot_of,
        failures=np.stack([failed.test, failed.run], axis=1).astype(np.int64),
    )


def find_outages(runs: Sequence[RunRow], *, share: float = OUTAGE_SHARE) -> list[RunRow]:
    """Return the runs in which more than `share` of the results failed, unless that is how their kind of job is."""
    suspects = [run for run in runs if run.executed >= OUTAGE_MIN_TESTS and run.failed > share * run.executed]
    total: dict[tuple[str, str, str], int] = {}
    out: dict[tuple[str, str, str], int] = {}
    for run in runs:
        total[run.kind] = total.get(run.kind, 0) + 1
    for run in suspects:
        out[run.kind] = out.get(run.kind, 0) + 1
    return [run for run in suspects if out[run.kind] <= OUTAGE_MAX_RUNS * total[run.kind]]


def _runs(connection: Connection, project: str, parts: Sequence[Part]) -> list[RunRow]:
    """Return the runs that have results, with what their results came to."""
    settings = (Run.cpus, Run.parallel, Run.time_limit_s)
    query = select(
        Run.id, Run.commit_sha, Run.workflow, Run.job, Run.os, Run.branch, Run.runner, Run.started_at, *settings
    )
    rows = connection.execute(of_project(query, Run, project).order_by(Run.id)).all()
    counts = by_run(parts, Table([row[0] for row in rows], range(len(rows))), len(rows))
    results, failed = counts.sum(axis=1).tolist(), counts[:, BAD_CODE].tolist()
    executed = (counts.sum(axis=1) - counts[:, SKIPPED]).tolist()
    return [
        RunRow(
            id_, commit or f"run {id_}", (workflow, job, os), branch, runner, started, executed[at], failed[at], *set_to
        )
        for at, (id_, commit, workflow, job, os, branch, runner, started, *set_to) in enumerate(rows)
        if results[at]
    ]


def _commit_order(runs: Sequence[RunRow]) -> list[str]:
    """Return the commits by their first run; a run without a start time is placed by the runs stored around it."""
    latest = datetime(1970, 1, 1, tzinfo=UTC)
    first: dict[str, tuple[datetime, int]] = {}
    for run in runs:
        latest = run.started_at or latest
        moment = (latest, run.id)
        first[run.commit] = min(first.get(run.commit, moment), moment)
    return sorted(first, key=lambda commit: first[commit])


def _numbers(rows: Iterable[Sequence[Any]], width: int) -> Ints:
    """Return rows of whole numbers as an array; NumPy's own way asks each row object what it is, at 13 µs a row."""
    return np.fromiter(chain.from_iterable(rows), dtype=np.int64).reshape(-1, width)


def _artifacts_of(runs: ColumnElement[bool]) -> Select[int]:
    """Results have no index by run, but one by artifact."""
    return select(Artifact.id).where(runs)


def failures_of_runs(connection: Connection, run_ids: Sequence[int]) -> Ints:
    """Return what failed in some runs: test case id, run id, failures, executions."""
    chunks = [np.zeros((0, 4), np.int64)]
    for start in range(0, len(run_ids), IDS_AT_ONCE):
        query = (
            select(Result.test_case_id, Result.run_id, func.sum(case((BAD, 1), else_=0)), func.count())
            .where(Result.artifact_id.in_(_artifacts_of(Artifact.run_id.in_(run_ids[start : start + IDS_AT_ONCE]))))
            .where(EXECUTED)
            .group_by(Result.test_case_id, Result.run_id)
            .having(func.sum(case((BAD, 1), else_=0)) > 0)
        )
        chunks.append(_numbers(connection.execute(query).all(), 4))
    counts = _counts(read_pruned(connection, np.array(run_ids, np.int64)))
    return np.concatenate([*chunks, counts[counts[:, 2] > 0]])


def _counts(packed: Packed) -> Ints:
    """Return by test and run: test case id, run id, failures, executions."""
    packed = packed.where(packed.outcome != SKIPPED)
    if not len(packed.test):
        return np.zeros((0, 4), np.int64)
    pairs, at = np.unique(np.stack([packed.test, packed.run], axis=1), axis=0, return_inverse=True)
    bad = np.bincount(at.ravel(), weights=packed.outcome == BAD_CODE)
    return np.column_stack([pairs, bad, np.bincount(at.ravel())]).astype(np.int64)


@dataclass(frozen=True, slots=True)
class TestRuns:
    """What some tests did run by run, as columns of one length, in the order of tests and runs."""

    __test__ = False  # the name makes pytest think that this is a test class

    test: Ints
    run: Ints
    failed: Ints
    executed: Ints
    failed_s: npt.NDArray[np.float64]
    """Seconds that its failed attempts took."""


def runs_of_tests(connection: Connection, results: Results, test_ids: Sequence[int], *, newest: int) -> TestRuns:
    """Return what a few tests did in the newest runs of the database: counts from `results`, durations from rows."""
    after = (connection.execute(select(func.max(Run.id))).scalar_one() or 0) - newest
    runs = [run.id for run in results.runs if run.id > after]
    tests, places = np.array(sorted(test_ids), np.int64), Table(runs, range(len(runs)))
    parts = [since for part in results.parts if len((since := part.of_runs_after(after)).run)]
    # Here each run is a slot of its own.
    test, place, failed, executed, _ = by_slot(parts, places, tests, runs=places, many=(len(runs),) * 2).T
    run = np.array(runs, np.int64)[place]
    failed_s = np.zeros(len(test))
    keys = np.searchsorted(tests, test) * len(runs) + place
    for start in range(0, len(tests), IDS_AT_ONCE):
        some = tests[start : start + IDS_AT_ONCE].tolist()
        query = (
            select(Result.test_case_id, Result.run_id, func.sum(func.coalesce(Result.duration_s, 0.0)))
            .where(Result.test_case_id.in_(some), Result.run_id > after, BAD)
            .group_by(Result.test_case_id, Result.run_id)
        )
        values = chain.from_iterable(connection.execute(query).all())
        of_test, of_run, seconds = np.fromiter(values, dtype=np.float64).reshape(-1, 3).T
        where = np.searchsorted(tests, of_test) * len(runs) + np.searchsorted(runs, of_run)
        failed_s[np.searchsorted(keys, where)] = seconds
    return TestRuns(test, run, failed, executed, failed_s)


def neighbour_durations(connection: Connection, leave_out: Sequence[int], *, newest: int) -> dict[int, float]:
    """Return the mean duration in seconds of the passed results of each of the newest runs, some tests left out."""
    since = connection.execute(select(func.max(Run.id))).scalar_one() or 0
    artifacts = select(Artifact.id, Artifact.run_id).where(Artifact.run_id > since - newest)
    run_of = {int(artifact): int(run) for artifact, run in connection.execute(artifacts).all()}
    # By artifact, in the order of the index: a database would have to sort the results to group them by run.
    query = (
        select(Result.artifact_id, func.sum(Result.duration_s), func.count())
        .where(Result.artifact_id.in_(_artifacts_of(Artifact.run_id > since - newest)))
        .where(Result.outcome == Outcome.PASSED, Result.duration_s.is_not(None))
        .where(Result.test_case_id.not_in(list(leave_out)))
        .group_by(Result.artifact_id)
    )
    spent: dict[int, tuple[float, int]] = {}
    for artifact, seconds, count in connection.execute(query):
        before, many = spent.get(run_of[artifact], (0.0, 0))
        spent[run_of[artifact]] = before + float(seconds or 0.0), many + int(count)
    return {run: seconds / many for run, (seconds, many) in spent.items() if seconds}


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """What one test did in one run."""

    run: RunRow
    external_id: str
    attempt: int
    passed: int
    failed: int
    skipped: int
    duration_s: float | None
    """Longest attempt."""

    @property
    def verdict(self) -> str:
        """Return `flaky` for both outcomes in the run, else `failed`, `passed` or `skipped`."""
        if self.failed and self.passed:
            return "flaky"
        return "failed" if self.failed else "passed" if self.passed else "skipped"


def runs_of_test(connection: Connection, test_id: int) -> list[RunOutcome]:
    """Return what one test did in each of its runs, in the order of start times."""
    bad, good = func.sum(case((BAD, 1), else_=0)), func.sum(case((Result.outcome == Outcome.PASSED, 1), else_=0))
    skipped = func.sum(case((Result.outcome == Outcome.SKIPPED, 1), else_=0))
    query = (
        select(
            Run.id,
            Run.commit_sha,
            Run.workflow,
            Run.job,
            Run.os,
            Run.branch,
            Run.runner,
            Run.started_at,
            Run.external_id,
            Run.attempt,
            good,
            bad,
            skipped,
            func.max(Result.duration_s),
        )
        .join(Result, Result.run_id == Run.id)
        .where(Result.test_case_id == test_id)
        .group_by(Run.id)
        .order_by(Run.id)
    )
    outcomes = []
    for id_, commit, workflow, job, os, branch, runner, started, *rest in connection.execute(query):
        external_id, attempt, passed, failed, skips, duration = rest
        kind = (workflow, job, os)
        row = RunRow(id_, commit or f"run {id_}", kind, branch, runner, started, passed + failed, failed)
        outcomes.append(RunOutcome(row, external_id, attempt, int(passed), int(failed), int(skips), duration))
    return outcomes
