"""`detect`: read the history and the texts of every test, weigh them, keep the verdicts."""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from sqlalchemy import Connection

from flakehunter.clock import utc_now
from flakehunter.db.engine import open_database, readonly, shown_url
from flakehunter.db.queries.failures import Event, FailureText, failure_texts, log_events
from flakehunter.db.queries.findings import experiments, findings
from flakehunter.db.queries.history import (
    OUTAGE_SHARE,
    History,
    Results,
    RunRow,
    history_of,
    project_names,
    read_results,
)
from flakehunter.db.queries.rollups import update_rollups
from flakehunter.db.queries.tests import TestRow, list_tests
from flakehunter.detect.blocks import WORTH_WORKERS, Texts, blocks, failed_tests, judge_all
from flakehunter.detect.circumstances import Cost, loads, look_around
from flakehunter.detect.clusters import BadRun, by_test, sensitivities, set_apart
from flakehunter.detect.rulebook import Rule, built_in
from flakehunter.detect.text import Hits, Match, Text, read_texts, text_of
from flakehunter.detect.weigh import Case, Weighed, verdict_of, weigh
from flakehunter.errors import NothingToDoError, UsageError
from flakehunter.fanout import InlinePool, Pool, open_pool
from flakehunter.fanout.companion import Companion
from flakehunter.fanout.fleet_beside import FleetBeside
from flakehunter.model import EvidenceSource, Verdict

READ_BESIDE = 200
"""Texts of failures that a companion reads while results are counted: about a second of work."""

WORST_FIRST = (Verdict.FLAKY, Verdict.BROKEN, Verdict.UNKNOWN, Verdict.HEALTHY)


@dataclass(frozen=True, slots=True)
class Assessment:
    """One test with its verdict and what led to it."""

    test: TestRow
    weighed: Weighed
    matches: tuple[Match, ...]
    executed: int
    failed: int
    """Failures, those in outages among them."""
    cost: Cost
    """What it cost in the newest runs; nothing unless it is flaky."""

    @property
    def is_listed(self) -> bool:
        """Whether there is anything to say of it: a failure or a finding."""
        return bool(self.failed or self.matches or self.weighed.evidence)


@dataclass(frozen=True, slots=True)
class Detection:
    """What `detect` found, worst first."""

    assessments: list[Assessment]
    runs: int
    commits: int
    outages: list[RunRow]
    bad_runs: list[BadRun]
    """Runs that failed many tests by one cause, without being an outage."""
    outage_share: float

    @property
    def flaky(self) -> list[Assessment]:
        """Return the flaky tests."""
        return [one for one in self.assessments if one.weighed.verdict is Verdict.FLAKY]


def detect(
    url: str,
    *,
    project: str | None = None,
    rules: Sequence[Rule] | None = None,
    outage_share: float = OUTAGE_SHARE,
    jobs: int | None = None,
    scheduler: str | None = None,
    keep: bool = True,
    companion: Companion | None = None,
) -> Detection:
    """Judge every test of the database at `url`, or of one project, and store the verdicts, unless `keep` is false.

    `jobs` is the number of processes (default: one a CPU, and none of them for a small database); `scheduler` is the
    address of a fleet that judges the tests instead. `companion` is a process that does a part of the work of this one,
    or talks to the fleet.

    Raises:
        NothingToDoError: there is no database, or it holds no results.
        UsageError: there is no such project, or no fleet at the address.
        DatabaseError: the database cannot be read or written.
    """
    # Imported here: the store needs the classes of this module.
    from flakehunter.detect.store import store

    rules = built_in() if rules is None else rules
    engine = open_database(url)
    try:
        parts: list[tuple[str, Detection]] = []
        with _pool(scheduler, jobs, companion) as pool, readonly(engine).connect() as connection:
            for name in chosen_projects(connection, project, shown_url(url)):
                part = assess_project(
                    connection,
                    name,
                    rules,
                    outage_share=outage_share,
                    pool=pool,
                    companion=None if scheduler else companion,
                )
                parts.append((name, part))
        whole = _joined([part for _, part in parts], outage_share)
        if not whole.runs:
            raise NothingToDoError(
                f"database {shown_url(url)} holds no results", hint="run flakehunter ingest PATH first"
            )
        if keep:
            with engine.begin() as connection:
                for name, part in parts:
                    store(connection, name, part.assessments, utc_now())
                    update_rollups(connection, name)
        return whole
    finally:
        engine.dispose()


def _pool(scheduler: str | None, jobs: int | None, companion: Companion | None) -> Pool:
    """Return the pool that judges; a companion holds that of a fleet."""
    if scheduler is not None and companion is not None:
        return FleetBeside(scheduler, companion)
    return open_pool(scheduler, jobs, at_least=WORTH_WORKERS)


def chosen_projects(connection: Connection, project: str | None, shown: str) -> list[str]:
    """Return the names of the projects that are meant: the given one, or all.

    Raises:
        NothingToDoError: the database holds no project.
        UsageError: there is no such project.
    """
    names = project_names(connection)
    if not names:
        raise NothingToDoError(f"database {shown} holds no results", hint="run flakehunter ingest PATH first")
    if project is not None and project not in names:
        raise UsageError(f"there is no project {project!r}", hint=f"one of: {', '.join(names)}")
    return names if project is None else [project]


def assess_project(
    connection: Connection,
    project: str,
    rules: Sequence[Rule],
    *,
    outage_share: float = OUTAGE_SHARE,
    only: TestRow | None = None,
    pool: Pool | None = None,
    companion: Companion | None = None,
) -> Detection:
    """Judge every test of one project, or one alone, without writing anything.

    `pool` does it for the failed ones; where it is this process, `companion` does a part of it.
    """
    tests = list_tests(connection, project=project) if only is None else [only]
    only_id = only.id if only else None
    results = read_results(connection, project, outage_share=outage_share)
    leave_out = [run.id for run in results.outages]
    # The database works on a processor of its own, as long as it has few rows to give, while NumPy counts.
    with ThreadPoolExecutor(1) as beside:
        said = beside.submit(failure_texts, connection, project, leave_out, test_id=only_id)
        reading = beside.submit(lambda: _read(rules, said.result(), companion))
        history = history_of(results, test_id=only_id)
    history, bad_runs = set_apart(connection, history)
    failed = failed_tests(history, tests)
    texts = _texts(said.result(), log_events(connection, {test.id for test in failed}, leave_out), failed)
    pool = pool or InlinePool()
    shared = pool.workers if pool.stands else 1
    # It sums up many durations while the model is fitted.
    with ThreadPoolExecutor(1) as beside:
        durations = beside.submit(loads, connection, history) if failed else None
        judged = judge_all(pool, blocks(history, failed, texts, rules, reading.result(), shared=shared), companion)
    found = _by_test(findings(connection, project, sources=[EvidenceSource.SCAN, EvidenceSource.TRACE]))
    tried = _by_test(experiments(connection, project))
    executed = dict(zip(history.totals[:, 0].tolist(), history.totals[:, 2].tolist(), strict=True))
    hit_by, sensitive = by_test(bad_runs), sensitivities(bad_runs)
    cases = {
        test.id: Case(
            executed=executed.get(test.id, 0),
            history=judged.summaries.get(test.id),
            matches=judged.matches.get(test.id, ()),
            findings=found.get(test.id, ()),
            experiments=tried.get(test.id, ()),
            outage_failures=history.outage_failures.get(test.id, 0),
            bad_runs=hit_by.get(test.id, ()),
            sensitivity=sensitive.get(test.id, 0.0),
        )
        for test in tests
    }
    cases |= _with_circumstances(connection, results, history, tests, cases, durations.result() if durations else {})
    assessments = [_assessed(test, cases[test.id]) for test in tests]
    assessments.sort(key=_worst_first)
    return Detection(assessments, len(history.runs), len(history.commits), history.outages, bad_runs, outage_share)


def _with_circumstances(
    connection: Connection,
    results: Results,
    history: History,
    tests: Sequence[TestRow],
    cases: Mapping[int, Case],
    durations: Mapping[int, float],
) -> dict[int, Case]:
    """Return the cases of the flaky tests with what their failed runs have in common."""
    flaky = [test_id for test_id, case in cases.items() if verdict_of(case) is Verdict.FLAKY]
    around = look_around(connection, results, history, flaky, durations)
    labels = {test.id: test.identity.label for test in tests}
    return {
        test_id: replace(
            cases[test_id],
            circumstances=one,
            together=[labels[other] for other in one.together_with],
        )
        for test_id, one in around.items()
    }


def _assessed(test: TestRow, case: Case) -> Assessment:
    failed = (case.history.failed if case.history else 0) + case.outage_failures + len(case.bad_runs)
    return Assessment(test, weigh(case), tuple(case.matches), case.executed, failed, case.circumstances.cost)


def _worst_first(one: Assessment) -> tuple[int, float, str]:
    """Order by verdict, then by how much of the executions is lost to flakes."""
    weighed = one.weighed
    return WORST_FIRST.index(weighed.verdict), -weighed.p_flaky * weighed.rate.value, one.test.identity.label


def _joined(parts: Iterable[Detection], outage_share: float) -> Detection:
    parts = list(parts)
    if len(parts) == 1:
        return parts[0]
    return Detection(
        assessments=sorted((one for part in parts for one in part.assessments), key=_worst_first),
        runs=sum(part.runs for part in parts),
        commits=sum(part.commits for part in parts),
        outages=[run for part in parts for run in part.outages],
        bad_runs=[run for part in parts for run in part.bad_runs],
        outage_share=outage_share,
    )


def _read(rules: Sequence[Rule], said: Sequence[FailureText], companion: Companion | None) -> dict[Text, Hits]:
    """Have a companion read as many texts as it can while results are counted; the others are read in time."""
    texts = list(dict.fromkeys(text_of(one) for one in said))[:READ_BESIDE]
    if companion is None or not texts:
        return {}
    return companion.submit(read_texts, (rules, texts), name="texts of failures").result()


def _texts(said: Iterable[FailureText], lines: Iterable[Event], tests: Sequence[TestRow]) -> dict[int, Texts]:
    """Return what was said of the failures of each test."""
    texts, events = _by_test(said), _by_test(lines)
    return {test.id: Texts(texts.get(test.id, []), events.get(test.id, [])) for test in tests}


class _OfTest(Protocol):
    @property
    def test_id(self) -> int | None: ...


_Row = TypeVar("_Row", bound=_OfTest)


def _by_test(rows: Iterable[_Row]) -> dict[int, list[_Row]]:
    grouped: dict[int, list[_Row]] = {}
    for row in rows:
        if row.test_id is not None:
            grouped.setdefault(row.test_id, []).append(row)
    return grouped
