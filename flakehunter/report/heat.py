"""The heat map of the first page: tests by commits, worst tests first, newest commits last."""

from collections.abc import Mapping, Sequence

from flakehunter.model import Outcome, Verdict
from flakehunter.report.views import Commit, CommitCells, HeatCell, HeatMap, TestPage

MOST_TESTS = 100
MOST_COMMITS = 60
"""Together 6000 cells: about 400 KB, and what a browser lays out at once."""


def heat_map(pages: Sequence[TestPage], commits: Mapping[str, Commit]) -> HeatMap:
    """Return how each flaky or broken test fared at the newest commits."""
    shown = [page for page in pages if page.summary.verdict in (Verdict.FLAKY, Verdict.BROKEN)]
    shown.sort(key=_worst_first)
    newest = sorted(commits.values(), key=lambda commit: commit.position)[-MOST_COMMITS:]
    rows = []
    for page in shown[:MOST_TESTS]:
        by_commit = {group.commit.sha: _cell(group) for group in page.strip}
        rows.append((page.summary, [by_commit.get(commit.sha) for commit in newest]))
    return HeatMap(newest, rows, max(0, len(shown) - MOST_TESTS), max(0, len(commits) - MOST_COMMITS))


def _worst_first(page: TestPage) -> tuple[bool, int, float, str, str]:
    row = page.summary
    return row.verdict is not Verdict.FLAKY, -row.lost_jobs, -row.rate.value, row.label, row.slug


def _cell(group: CommitCells) -> HeatCell:
    return HeatCell(group.bad, sum(cell.outcome is not Outcome.SKIPPED for cell in group.cells))
