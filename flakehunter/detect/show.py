"""Everything that the database knows of one test."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from flakehunter.db.engine import open_database, readonly
from flakehunter.db.queries.failures import Event, FailureText, failure_texts, log_events, run_names
from flakehunter.db.queries.findings import ExperimentRow, experiments
from flakehunter.db.queries.history import OUTAGE_SHARE, RunOutcome, RunRow, runs_of_test
from flakehunter.db.queries.properties import PropertyEntry, properties_of_test
from flakehunter.db.queries.tests import TestRow, find_test
from flakehunter.detect.assess import Assessment, assess_project
from flakehunter.detect.rulebook import Rule, built_in

EVENTS_SHOWN = 20
"""Log lines of the newest failed run that are shown."""


@dataclass(frozen=True, slots=True)
class Group:
    """Failures of one fingerprint, with the newest text."""

    fingerprint: str
    count: int
    last_run: str
    text: FailureText


@dataclass(frozen=True, slots=True)
class CommitCell:
    """What the test did at one commit in one kind of job and one branch."""

    commit: str
    job: str
    branch: str
    passed: int
    failed: int
    skipped: int
    outage: bool
    """All its runs there were outages."""

    @property
    def mark(self) -> str:
        """Return one letter for the strip: `.` passed, `F` failed, `±` both, `s` skipped, `o` outage."""
        if self.outage:
            return "o"
        if self.failed and self.passed:
            return "±"
        return "F" if self.failed else "." if self.passed else "s"


@dataclass(frozen=True, slots=True)
class Description:
    """All of one test; `cells` by job and branch, in the order of commits."""

    assessment: Assessment
    cells: list[CommitCell]
    runs: list[RunOutcome]
    groups: list[Group]
    events: list[Event]
    """Log lines of the newest failed run that has any."""
    events_run: str
    experiments: list[ExperimentRow]
    properties: list[PropertyEntry]
    """What its newest runs say of it in `<properties>` and attachments, newest first."""

    @property
    def test(self) -> TestRow:
        """Return the test."""
        return self.assessment.test


def describe(
    url: str,
    text: str,
    *,
    project: str | None = None,
    rules: Sequence[Rule] | None = None,
    outage_share: float = OUTAGE_SHARE,
) -> Description:
    """Return everything known of the test that `text` names, judged anew and not stored.

    Raises:
        NothingToDoError: there is no database.
        UnknownTestError: no test, or more than one, fits `text`.
        DatabaseError: the database cannot be read.
    """
    engine = open_database(url)
    try:
        with readonly(engine).connect() as connection:
            test = find_test(connection, text, project=project)
            return _describe(connection, test, built_in() if rules is None else rules, outage_share)
    finally:
        engine.dispose()


def _describe(connection: Connection, test: TestRow, rules: Sequence[Rule], outage_share: float) -> Description:
    name = test.identity.project
    detection = assess_project(connection, name, rules, outage_share=outage_share, only=test)
    outages = {run.id for run in detection.outages}
    runs = runs_of_test(connection, test.id)
    events = log_events(connection, [test.id], outages)
    failed = {outcome.run.id for outcome in runs if outcome.failed}
    newest = max((event.run_id for event in events if event.run_id in failed), default=None)
    return Description(
        assessment=detection.assessments[0],
        cells=_cells(runs, outages),
        runs=runs,
        groups=_groups(connection, test, outages),
        events=[event for event in events if event.run_id == newest][:EVENTS_SHOWN],
        events_run="" if newest is None else run_names(connection, [newest])[newest],
        experiments=[one for one in experiments(connection, name) if one.test_id == test.id],
        properties=properties_of_test(connection, test.id),
    )


def _cells(runs: Sequence[RunOutcome], outages: set[int]) -> list[CommitCell]:
    first: dict[str, int] = {}
    for place, outcome in enumerate(sorted(runs, key=lambda one: _moment(one.run))):
        first.setdefault(outcome.run.commit, place)
    grouped: dict[tuple[str, str, int], list[RunOutcome]] = {}
    for outcome in runs:
        key = (outcome.run.kind[1] or outcome.run.kind[0], outcome.run.branch, first[outcome.run.commit])
        grouped.setdefault(key, []).append(outcome)
    cells = []
    for (job, branch, _), outcomes in sorted(grouped.items()):
        usable = [one for one in outcomes if one.run.id not in outages]
        cells.append(
            CommitCell(
                outcomes[0].run.commit,
                job,
                branch,
                sum(one.passed for one in usable or outcomes),
                sum(one.failed for one in usable or outcomes),
                sum(one.skipped for one in usable or outcomes),
                not usable,
            )
        )
    return cells


def _moment(run: RunRow) -> tuple[float, int]:
    return (run.started_at.timestamp() if run.started_at else 0.0, run.id)


def _groups(connection: Connection, test: TestRow, outages: set[int]) -> list[Group]:
    newest: dict[bytes, FailureText] = {}
    for failure in failure_texts(connection, test.identity.project, outages, test_id=test.id):
        newest.setdefault(failure.fingerprint, failure)
    names = run_names(connection, {failure.last_run_id for failure in newest.values()})
    groups = [
        Group(fingerprint.hex(), failure.alike, names[failure.last_run_id], failure)
        for fingerprint, failure in newest.items()
    ]
    return sorted(groups, key=lambda group: -group.count)
