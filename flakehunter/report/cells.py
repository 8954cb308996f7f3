"""The attempts of a test as HTML, made in Python: pages have up to a thousand, and templates take ten times as long."""

from collections.abc import Sequence
from functools import lru_cache

from markupsafe import Markup, escape

from flakehunter.model import Outcome
from flakehunter.report import text
from flakehunter.report.views import Cell, CommitCells
from flakehunter.report.words import describe_cell


@lru_cache(maxsize=10_000)
def _shown(given: str) -> str:
    return str(escape(text.visible(text.cut(given, 60))))


def attempt_rows(strip: Sequence[CommitCells]) -> Markup:
    """Return one table row an attempt: commit, job, run, attempt, outcome, duration."""
    return Markup("\n".join(_row(group, cell) for group in strip for cell in group.cells))


def _row(group: CommitCells, cell: Cell) -> str:
    sort = "" if cell.duration_s is None else repr(cell.duration_s)
    return (
        f'<tr><td data-sort="{group.commit.position}"><code>{_shown(group.commit.short)}</code></td>'
        f"<td>{_shown(cell.job)}</td><td>{_shown(cell.run)}</td>"
        f'<td class="n">{cell.attempt}</td><td>{cell.outcome.value}</td>'
        f'<td class="n" data-sort="{sort}">{text.seconds(cell.duration_s)}</td></tr>'
    )


def squares(group: CommitCells) -> Markup:
    """Return one coloured square an attempt, which says what it was when pointed at."""
    return Markup("".join(_square(cell) for cell in group.cells))


def _square(cell: Cell) -> str:
    kind = "f" if cell.outcome.is_bad else "s" if cell.outcome is Outcome.SKIPPED else "p"
    return f'<i class="{kind}" title="{escape(text.visible(describe_cell(cell)))}"></i>'
