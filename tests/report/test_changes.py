"""What changed since the last report, and what a report can be limited to."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from report_builder import START, Builder, team_history
from sqlalchemy import Engine

from flakehunter.db.engine import open_database
from flakehunter.errors import NothingToDoError
from flakehunter.model import Interval, Verdict
from flakehunter.report.build import build_site
from flakehunter.report.changes import State, TestState, compare
from flakehunter.report.owners import read_owners
from flakehunter.report.site import Report, write_report
from flakehunter.report.views import Scope, Site


def state(**tests: tuple[Verdict, float, float, float]) -> State:
    rows = {name: TestState(name, verdict, rate, low, high, 1) for name, (verdict, rate, low, high) in tests.items()}
    return State(rows, runs=10, lost=2, until="2026-03-02")


def names(changes: object, kind: str) -> list[str]:
    return [change.label for change in getattr(changes, kind)]


def test_changes_are_new_healed_worse_and_better() -> None:
    flaky = Verdict.FLAKY
    before = state(
        gone=(flaky, 0.2, 0.1, 0.3), worse=(flaky, 0.2, 0.1, 0.3), better=(flaky, 0.2, 0.1, 0.3),
        same=(flaky, 0.2, 0.1, 0.3), turned=(Verdict.UNKNOWN, 0.1, 0, 0.2), broke=(flaky, 0.5, 0.4, 0.6),
    )  # fmt: skip
    after = state(
        worse=(flaky, 0.31, 0.2, 0.4), better=(flaky, 0.09, 0.05, 0.2), same=(flaky, 0.29, 0.2, 0.4),
        turned=(flaky, 0.1, 0, 0.2), new=(flaky, 0.3, 0.1, 0.5), broke=(Verdict.BROKEN, 1, 1, 1),
    )  # fmt: skip
    changes = compare(before, after, {"new": "new-page"})
    assert names(changes, "new") == ["new", "turned"]
    assert names(changes, "healed") == ["broke", "gone"]
    assert names(changes, "worse") == ["worse"]
    assert names(changes, "better") == ["better"]
    assert changes.new[0].slug == "new-page"
    assert [(one.before, one.now) for one in changes.healed] == [(0.5, Verdict.BROKEN), (0.2, None)]


def test_a_state_survives_its_document_and_nothing_else_is_taken_for_one() -> None:
    given = state(one=(Verdict.FLAKY, 1 / 3, 0.1, 0.7))
    assert State.of_document(json.loads(json.dumps(given.as_document()))) == given
    for wrong in (None, [], {}, {"tests": 3}, {"tests": {"a": {}}}, {**given.as_document(), "runs": "many"}):
        assert State.of_document(wrong) is None


@pytest.fixture
def report(tmp_path: Path) -> "Reporter":
    return Reporter(tmp_path)


class Reporter:
    """Writes reports of a small history that grows."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        team_history(folder / "x.db")

    def __call__(self, **limits: str) -> Report:
        engine = self.engine()
        try:
            return write_report(engine, self.folder / "out", scope=Scope(**limits))
        finally:
            engine.dispose()

    def engine(self) -> Engine:
        return open_database(f"sqlite:///{self.folder / 'x.db'}")

    def change(self, sql: str) -> None:
        engine = self.engine()
        with engine.begin() as connection:
            connection.exec_driver_sql(sql)
        engine.dispose()

    def page(self) -> str:
        return (self.folder / "out/index.html").read_text(encoding="utf-8")


def test_first_report_has_nothing_to_compare_with(report: Reporter) -> None:
    assert report().site.changes is None
    assert "What changed" not in report.page()


def test_second_report_says_what_changed_and_a_third_of_the_same_data_says_it_again(report: Reporter) -> None:
    report()
    report.change("UPDATE verdicts SET verdict = 'healthy' WHERE mechanism = 'resource-still-held'")
    report.change("UPDATE verdicts SET verdict = 'flaky' WHERE verdict = 'unknown'")
    changes = report().site.changes
    assert changes
    assert names(changes, "new") == ["pytest::tests.test_group::test_reads_pid_file"]
    assert names(changes, "healed") == ["vitest::test/server.test.ts::binds the same port again"]
    second = report.page()
    assert "No longer flaky" in second
    assert report().site.changes == changes
    assert report.page() == second


def test_reports_of_other_limits_are_not_compared(report: Reporter) -> None:
    report()
    assert report(branch="").site.changes is None, "the same data, and nothing before it"
    report.change("UPDATE runs SET branch = 'main'")
    assert report(branch="main").site.changes is None


def build(report: Reporter, scope: Scope, codeowners: str = "") -> Site:
    engine = report.engine()
    owners = None
    if codeowners:
        (report.folder / "CODEOWNERS").write_text(codeowners)
        owners = read_owners(report.folder / "CODEOWNERS")
    try:
        with engine.connect() as connection:
            return build_site(connection, scope=scope, owners=owners)
    finally:
        engine.dispose()


def test_since_and_branch_limit_the_runs(report: Reporter) -> None:
    report.change("UPDATE runs SET branch = 'main' WHERE job = 'linux-pytest'")
    assert build(report, Scope(branch="main")).overview.runs == 14
    april = build(report, Scope(since=datetime(2026, 4, 1, tzinfo=UTC))).overview
    assert april.runs == 6 * 3
    assert april.first
    assert april.first.month == 4
    with pytest.raises(NothingToDoError, match="there are no runs since 2027-01-01"):
        build(report, Scope(since=datetime(2027, 1, 1, tzinfo=UTC)))
    with pytest.raises(NothingToDoError, match="there are no branch nowhere"):
        build(report, Scope(branch="nowhere"))


def test_owners_have_their_tests_and_their_losses(report: Reporter) -> None:
    site = build(report, Scope(), "* @core\n/tests/ @process\n*.ts @web @core\n")
    health = {row.owner: (row.tests, row.flaky, row.broken, row.lost_jobs) for row in site.overview.owners}
    assert health == {"@process": (8, 1, 1, 7), "@core": (2, 1, 0, 1), "@web": (1, 1, 0, 1)} or health["@web"] == (
        1,
        1,
        0,
        1,
    )
    mine = build(report, Scope(owner="@web"), "* @core\n/tests/ @process\n*.ts @web @core\n").overview
    assert [row.identity.name for row in mine.flaky] == ["binds the same port again"]
    assert (mine.cost.lost, mine.cost.red) == (1, 18)
    with pytest.raises(NothingToDoError, match="no test belongs to @nobody-here"):
        build(report, Scope(owner="@nobody-here"), "* @core\n")


def test_heat_map_has_the_worst_tests_at_the_newest_commits(report: Reporter, monkeypatch: pytest.MonkeyPatch) -> None:
    heat = build(report, Scope()).overview.heat
    assert [row.identity.name for row, _cells in heat.rows] == [
        "test_abort_kills_the_group", "binds the same port again", "test_counts_members",
    ]  # fmt: skip
    assert len(heat.commits) == 14
    cells = heat.rows[0][1]
    assert [(cell.bad, cell.attempts) for cell in cells if cell][3:6] == [(1, 3), (1, 3), (2, 3)]
    assert sum(cell.bad for cell in cells if cell) == 9
    monkeypatch.setattr("flakehunter.report.heat.MOST_COMMITS", 4)
    monkeypatch.setattr("flakehunter.report.heat.MOST_TESTS", 2)
    smaller = build(report, Scope()).overview.heat
    assert (len(smaller.commits), smaller.hidden_commits, smaller.hidden_tests) == (4, 10, 1)
    assert smaller.commits == heat.commits[-4:]
    assert smaller.rows[0][1] == cells[-4:]


def test_a_test_that_did_not_run_at_a_commit_has_no_cell(tmp_path: Path) -> None:
    with Builder(tmp_path / "x.db") as builder:
        runs = [builder.run(f"c{place}", at=START) for place in range(3)]
        test = builder.test("one")
        builder.results(test, runs, "F s")
        builder.verdict(test, rate=Interval(0.5, 0.1, 0.9))
    engine = open_database(f"sqlite:///{tmp_path / 'x.db'}")
    with engine.connect() as connection:
        ((_row, cells),) = build_site(connection).overview.heat.rows
    engine.dispose()
    assert [None if cell is None else (cell.bad, cell.attempts) for cell in cells] == [(1, 1), None, (0, 0)]
