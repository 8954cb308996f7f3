"""A report as Markdown, for the step summary of a CI job: GitHub takes at most 1 MiB of it."""

import re
from collections.abc import Sequence

from flakehunter.report import text
from flakehunter.report.guide import GUIDES
from flakehunter.report.views import Change, Changes, Site, TestSummary
from flakehunter.report.words import lede, place

LIMIT = 1024 * 1024
"""Bytes of a step summary; GitHub shows nothing at all of a longer one."""


def render(site: Site, *, limit: int = LIMIT) -> str:
    """Return the report in Markdown, in at most `limit` bytes of UTF-8; what is left out is said at the end."""
    overview = site.overview
    parts = [f"## Flaky tests of {code(overview.project, 60)}", ""]
    if overview.warning:
        parts += [f"> **These verdicts are not up to date.** {plain(overview.warning)}", ""]
    parts += [plain(lede(overview)), ""]
    if overview.scope.words:
        parts += [f"Limited to {plain(overview.scope.words)}.", ""]
    if site.changes is not None and site.changes.any:
        parts += [*_changes(site.changes), ""]
    head = "\n".join(parts) + "\n"
    tables = [
        ("### Flaky tests, worst first", _HEAD, [_row(row) for row in overview.flaky]),
        ("### Broken, not flaky", _SHORT_HEAD, [_short_row(row) for row in overview.broken]),
    ]
    known = [row.mechanism for row in overview.mechanisms if row.mechanism]
    tail = [f"- {code(mechanism.value)}: {plain(GUIDES[mechanism].fix)}" for mechanism in known]
    ending = "\n### What mends them\n\n" + "\n".join(tail) + "\n" if tail else ""
    return _fill(head, tables, ending, limit)


_HEAD = "| test | fails | mechanism | jobs lost | time lost | since |\n|---|--:|---|--:|--:|---|"
_SHORT_HEAD = "| test | failures | since |\n|---|--:|---|"


def _fill(head: str, tables: Sequence[tuple[str, str, list[str]]], ending: str, limit: int) -> str:
    """Add rows while there is room for them and for a line that says how many were left out."""
    room = limit - len(head.encode()) - len(ending.encode()) - 400
    out, left = head, 0
    for title, columns, rows in tables:
        if not rows:
            continue
        out += f"{title}\n\n{columns}\n"
        for row in rows:
            room -= len(row.encode()) + 1
            if room > 0:
                out += row + "\n"
            else:
                left += 1
        out += "\n"
    if left:
        out += f"{text.plural(left, 'more test')} did not fit; the HTML report has all of them.\n"
    return out + ending


def _row(row: TestSummary) -> str:
    since = f"{code(row.since.short)} {text.day(row.since.when)}".strip() if row.since else ""
    cells = [
        _test(row),
        f"{text.percent(row.rate.value)} ({row.failures}/{row.attempts})",
        code(row.mechanism.value) if row.mechanism else "not known yet",
        str(row.lost_jobs),
        text.span(row.lost_s),
        since,
    ]
    return f"| {' | '.join(cells)} |"


def _short_row(row: TestSummary) -> str:
    since = code(row.since.short) if row.since else ""
    return f"| {_test(row)} | {row.failures} of {row.attempts} | {since} |"


def _test(row: TestSummary) -> str:
    where = " · ".join(part for part in (place(row), row.owner) if part)
    return f"{code(row.name)}<br>{plain(text.cut(where, 120))}"


def render_changes(changes: Changes) -> str:
    """Return what changed in Markdown."""
    jobs = f"{text.signed(changes.runs, 'job')}, {text.signed(changes.lost, 'job')} lost to flakes alone."
    if not changes.any:
        return f"No test became flaky or stopped being it, and none changed its rate beyond its interval. {jobs}"
    return "\n".join([*_changes(changes), "", jobs])


def _changes(changes: Changes) -> list[str]:
    kinds = [("new flake", changes.new), ("worse", changes.worse), ("better", changes.better)]
    kinds.append(("no longer flaky", changes.healed))
    lines = ["### What changed", ""]
    for title, rows in kinds:
        lines += [f"- **{title}**: {code(row.label)} {_rates(row)}".rstrip() for row in rows[:20]]
        if len(rows) > 20:
            lines.append(f"- **{title}**: and {len(rows) - 20} more")
    return lines


def _rates(row: Change) -> str:
    before, after = (text.percent(rate) if rate is not None else "" for rate in (row.before, row.after))
    return f"{before} → {after}" if before and after else before or after


def code(given: str, limit: int = 160) -> str:
    """Return `given` as a code span that stays whole in a table: nothing in it is markup, a mention or a link."""
    shown = " ".join(text.visible(text.cut(given, limit)).split()).replace("|", "\\|") or " "
    fence = "`" * (max((len(run) for run in re.findall("`+", shown)), default=0) + 1)
    return f"{fence} {shown} {fence}" if "`" in shown else f"{fence}{shown}{fence}"


def plain(given: str) -> str:
    """Return `given` as running text in which nothing is markup, a mention or a link."""
    shown = " ".join(text.visible(given).split())
    shown = shown.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    shown = re.sub(r"([\\`*_\[\]#|~])", r"\\\1", shown)
    return shown.replace("@", "&#64;").replace("://", "&#58;//")
