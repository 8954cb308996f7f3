"""What a report says in sentences: of a project, of a test, of a commit, of an attempt."""

from flakehunter.model import Outcome, Verdict
from flakehunter.report import text
from flakehunter.report.guide import GUIDES
from flakehunter.report.views import Cell, CommitCells, Overview, TestPage, TestSummary


def describe_cell(cell: Cell) -> str:
    """Return what the square of an attempt says when pointed at."""
    parts = [cell.job, f"run {cell.run}" if not cell.run.startswith("attempt") else cell.run]
    if cell.attempt > 1:
        parts.append(f"retry {cell.attempt - 1}")
    parts += [cell.outcome.value, text.seconds(cell.duration_s)]
    return ", ".join(text.cut(part, 60) for part in parts if part)


def describe_commit(group: CommitCells) -> str:
    """Return the counts of a commit in words, for those who cannot see the squares."""
    words = []
    for outcome in Outcome:
        count = sum(cell.outcome is outcome for cell in group.cells)
        if count:
            words.append(f"{count} {outcome.value}")
    return ", ".join(words)


def place(summary: TestSummary) -> str:
    """Return where the test is: suite and class name, without the name itself."""
    parts = [summary.identity.suite, summary.identity.classname]
    shown = [part for part in dict.fromkeys(parts) if part]
    if len(shown) == 2 and shown[1].startswith(shown[0]):
        shown = shown[1:]
    return " › ".join(shown)


def sentence(page: TestPage) -> str:
    """Return the verdict on a test in one sentence."""
    row = page.summary
    counts = f"{row.failures} of {text.plural(row.attempts, 'attempt')} failed"
    if row.verdict is Verdict.FLAKY:
        why = f", probably because {GUIDES[row.mechanism].short}" if row.mechanism else ", for a reason not known yet"
        mixed = sum(group.mixed for group in page.strip)
        proof = f"; {text.plural(mixed, 'commit')} had both passes and failures" if mixed else ""
        since = f", since {_commit_words(row)}" if row.since else ""
        rate = f"{text.percent(row.rate.value)} of the time ({text.interval(row.rate)})"
        return f"Fails {rate}{since}{why}: {counts}{proof}."
    if row.verdict is Verdict.BROKEN:
        since = f" since {_commit_words(row)}" if row.since else ""
        return f"Broken{since} and not flaky: {counts}, in a row."
    if not row.attempts:
        return "It was skipped in every run, so nothing can be said of it."
    return f"It cannot be told yet whether this is a flake: {counts}."


def _commit_words(row: TestSummary) -> str:
    assert row.since is not None
    return row.since.short + (f" ({text.day(row.since.when)})" if row.since.when else "")


def lede(overview: Overview) -> str:
    """Return the state of the whole project in a sentence or two."""
    when = ""
    if overview.first and overview.last:
        first, last = text.day(overview.first), text.day(overview.last)
        when = f" between {first} and {last}" if first != last else f" on {last}"
    if not overview.flaky:
        return f"No test is flaky in {text.plural(overview.cost.jobs, 'job')}{when}."
    count = len(overview.flaky)
    share = overview.cost.lost / overview.cost.jobs if overview.cost.jobs else 0.0
    worst = overview.flaky[0]
    return (
        f"{text.plural(count, 'test is', 'tests are')} flaky. {'It' if count == 1 else 'They'} alone turned "
        f"{overview.cost.lost} of {text.plural(overview.cost.jobs, 'job')} red{when} ({text.percent(share)}), "
        f"{text.span(overview.cost.lost_s)} of test time for nothing. "
        f"The worst, {text.cut(worst.name, 80)}, fails {text.percent(worst.rate.value)} of the time."
    )
