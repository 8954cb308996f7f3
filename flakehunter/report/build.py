"""Turn the rows of a database into the views of all pages."""

from collections import Counter, defaultdict
from collections.abc import Sequence

from sqlalchemy import Connection

from flakehunter.db.queries import report as rows
from flakehunter.db.queries.projects import project_ids
from flakehunter.db.queries.report_tests import tries_by_run
from flakehunter.errors import NothingToDoError
from flakehunter.model import Mechanism, Verdict
from flakehunter.report import heat, timeline
from flakehunter.report.owners import Owners
from flakehunter.report.pages import History, slug, test_pages
from flakehunter.report.views import MechanismCount, Overview, OwnerHealth, Scope, Site, TestPage, TestSummary


def build_site(
    connection: Connection,
    *,
    project: str | None = None,
    scope: Scope | None = None,
    owners: Owners | None = None,
    warning: str = "",
) -> Site:
    """Read everything the report shows, within `scope`; `warning` is put on the first page.

    Raises:
        NothingToDoError: there are no runs (of that project, in that scope) in the database.
    """
    scope = scope or Scope()
    stored = rows.runs(connection, project)
    if not stored:
        raise _nothing(connection, project)
    runs = [run for run in stored if _in_scope(run, scope)]
    if not runs:
        raise NothingToDoError(f"there are no {scope.words or 'runs'}", hint="widen --since or --branch")
    belongs = _owners_of_tests(connection, project, owners)
    by_id = {run.id: run for run in runs}
    judged = rows.verdicts(connection, project)
    verdicts = [row for row in judged if not scope.owner or scope.owner in belongs.get(row.test_id, "").split()]
    if scope.owner and not any(scope.owner in names.split() for names in belongs.values()):
        raise NothingToDoError(
            f"no test belongs to {scope.owner}",
            hint="owners: " + ", ".join(sorted({name for names in belongs.values() for name in names.split()}))
            if belongs
            else "give a CODEOWNERS file with --codeowners",
        )
    flaky = {row.test_id for row in judged if row.verdict is Verdict.FLAKY}
    notable = [row for row in rows.failed_or_retried(connection) if row.run_id in by_id]
    bad = [row for row in notable if row.outcome.is_bad]
    lost = timeline.losses(bad, [row for row in notable if row.attempt > 1], flaky)
    if scope.owner:
        lost = timeline.losses_with(lost, {row.test_id for row in verdicts})
    bad_runs: dict[int, set[int]] = defaultdict(set)
    for row in bad:
        bad_runs[row.test_id].add(row.run_id)
    history = History(
        runs=by_id,
        commits=timeline.order_commits(runs),
        totals={id_: total for id_, total in rows.run_totals(connection).items() if id_ in by_id},
        lost=lost,
        bad_runs={test: frozenset(ids) for test, ids in bad_runs.items()},
        slugs={row.test_id: slug(row.identity) for row in verdicts},
        owners=belongs,
    )
    pages = test_pages(connection, verdicts, history, project)
    overview = _overview(connection, project, history, pages, scope, warning)
    by_mechanism: dict[Mechanism, list[TestSummary]] = {mechanism: [] for mechanism in Mechanism}
    for summary in overview.flaky:
        if summary.mechanism is not None:
            by_mechanism[summary.mechanism].append(summary)
    return Site(overview, pages, by_mechanism=by_mechanism)


def _in_scope(run: rows.RunRow, scope: Scope) -> bool:
    if scope.since is not None and (run.started_at is None or run.started_at < scope.since):
        return False
    return not scope.branch or run.branch == scope.branch


def _owners_of_tests(connection: Connection, project: str | None, owners: Owners | None) -> dict[int, str]:
    if owners is None:
        return {}
    belongs = {}
    for test, file, classname, framework in rows.test_places(connection, project):
        if not file:
            # Artifacts that name no file: vitest's class names are files, pytest's are dotted modules.
            file = classname if "/" in classname else classname.replace(".", "/") + ".py" * (framework == "pytest")
        belongs[test] = owners.of(file)
    return belongs


def _nothing(connection: Connection, project: str | None) -> NothingToDoError:
    known = list(project_ids(connection))
    if project is not None and project not in known:
        hint = "known projects: " + ", ".join(known) if known else "run flakehunter ingest PATH first"
        return NothingToDoError(f"there is no project {project!r} in the database", hint=hint)
    return NothingToDoError("there are no runs in the database", hint="run flakehunter ingest PATH first")


def _overview(
    connection: Connection,
    project: str | None,
    history: History,
    pages: Sequence[TestPage],
    scope: Scope,
    warning: str,
) -> Overview:
    summaries = [page.summary for page in pages]
    runs = list(history.runs.values())
    flaky = sorted(
        (row for row in summaries if row.verdict is Verdict.FLAKY),
        key=lambda row: (-row.lost_jobs, -row.rate.value, row.label, row.slug),
    )
    moments = [run.started_at for run in runs if run.started_at is not None]
    flaky_pages = {row.slug for row in flaky}
    tries = tries_by_run(connection, [test for test, name in history.slugs.items() if name in flaky_pages])
    counts: Counter[Mechanism | None] = Counter(row.mechanism for row in flaky)
    jobs: Counter[Mechanism | None] = Counter()
    for row in flaky:
        jobs[row.mechanism] += row.lost_jobs
    names = list(project_ids(connection)) if project is None else [project]
    return Overview(
        project=", ".join(names),
        tests=rows.freshness(connection, project).tests,
        results=sum(total.results for total in history.totals.values()),
        runs=len(runs),
        commits=len(history.commits),
        first=min(moments, default=None),
        last=max(moments, default=None),
        counts=rows.verdict_counts(connection, project),
        cost=timeline.cost(runs, history.totals, history.lost, sum(row.failures for row in flaky)),
        trend=timeline.trend(runs, history.commits, history.totals, history.lost, tries),
        mechanisms=[
            MechanismCount(mechanism, count, jobs[mechanism])
            for mechanism, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0] or "~"))
        ],
        flaky=flaky,
        broken=[row for row in summaries if row.verdict is Verdict.BROKEN],
        unsure=[row for row in summaries if row.verdict is Verdict.UNKNOWN],
        heat=heat.heat_map(pages, history.commits),
        owners=_owner_health(history, summaries),
        scope=scope,
        warning=warning,
    )


def _owner_health(history: History, summaries: Sequence[TestSummary]) -> list[OwnerHealth]:
    tests = Counter(name for names in history.owners.values() for name in names.split())
    found = []
    for owner, count in tests.items():
        own = [row for row in summaries if owner in row.owner.split()]
        flaky = [row for row in own if row.verdict is Verdict.FLAKY]
        broken = sum(row.verdict is Verdict.BROKEN for row in own)
        lost_jobs, lost_s = sum(row.lost_jobs for row in flaky), sum(row.lost_s for row in flaky)
        found.append(OwnerHealth(owner, count, len(flaky), broken, lost_jobs, lost_s))
    return sorted(found, key=lambda row: (-row.lost_jobs, -row.flaky, -row.broken, row.owner))
