"""Turn the rows of a database into the views of all pages."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from flakehunter.db.queries import report as rows
from flakehunter.db.queries import report_tests as of_tests
from flakehunter.db.queries.projects import project_ids
from flakehunter.errors import NothingToDoError
from flakehunter.model import Mechanism, Outcome, TestIdentity, Verdict
from flakehunter.report import experiments, heat, timeline
from flakehunter.report.owners import Owners
from flakehunter.report.views import (
    Cell,
    Commit,
    CommitCells,
    Companion,
    Durations,
    EvidenceItem,
    FailureGroup,
    LogLine,
    MechanismCount,
    Overview,
    OwnerHealth,
    Scope,
    Site,
    SourceFinding,
    TestPage,
    TestSummary,
)

RECENT = 30
"""Outcomes in the small strip of a table row."""

MOST_COMMITS = 200
"""Commits in the history strip of a test; the table below it has the same ones."""

MOST_LOG_LINES = 60
MOST_FAILURE_GROUPS = 12
MOST_COMPANIONS = 8


@dataclass(frozen=True, slots=True)
class _History:
    """What all pages need of the whole history."""

    runs: Mapping[int, rows.RunRow]
    commits: Mapping[str, Commit]
    totals: Mapping[int, rows.RunTotals]
    lost: Mapping[int, timeline.RunLoss]
    bad_runs: Mapping[int, frozenset[int]]
    """Run ids by test in which it failed at least once."""
    slugs: Mapping[int, str]
    owners: Mapping[int, str]
    """Owners by test, separated by blanks; empty where no file says who owns what."""


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
    bad = [row for row in rows.bad_results(connection) if row.run_id in by_id]
    retried = [row for row in rows.retried_results(connection) if row.run_id in by_id]
    lost = timeline.losses(bad, retried, flaky)
    if scope.owner:
        lost = timeline.losses_with(lost, {row.test_id for row in verdicts})
    bad_runs: dict[int, set[int]] = defaultdict(set)
    for row in bad:
        bad_runs[row.test_id].add(row.run_id)
    history = _History(
        runs=by_id,
        commits=timeline.order_commits(runs),
        totals={id_: total for id_, total in rows.run_totals(connection).items() if id_ in by_id},
        lost=lost,
        bad_runs={test: frozenset(ids) for test, ids in bad_runs.items()},
        slugs={row.test_id: slug(row.identity) for row in verdicts},
        owners=belongs,
    )
    pages = _pages(connection, verdicts, history, project)
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


def slug(identity: TestIdentity) -> str:
    """Return the file name, without its ending, of a test's page: stable, unique, safe on every file system."""
    words = re.sub(r"[^a-z0-9]+", "-", identity.name.lower()).strip("-")[:48].strip("-")
    return f"{words or 'test'}-{identity.key.hex()[:10]}"


def _pages(
    connection: Connection, verdicts: Sequence[rows.VerdictRow], history: _History, project: str | None
) -> list[TestPage]:
    by_test: dict[int, list[of_tests.ExperimentRow]] = defaultdict(list)
    for experiment in of_tests.experiments(connection, project):
        if experiment.test_id is not None:
            by_test[experiment.test_id].append(experiment)
    companions = _companions(connection, verdicts, history)
    pages: list[TestPage] = []
    for start in range(0, len(verdicts), of_tests.CHUNK):
        chunk = verdicts[start : start + of_tests.CHUNK]
        ids = [row.test_id for row in chunk]
        results = _group(row for row in of_tests.results_of(connection, ids) if row.run_id in history.runs)
        findings = _group(of_tests.findings_of(connection, ids))
        deaths = _group(of_tests.death_times(connection, ids))
        log = _group(row for row in of_tests.log_events_of(connection, ids) if row.run_id in history.runs)
        for verdict in chunk:
            own = sorted(results.get(verdict.test_id, []), key=lambda row: _when(row, history))
            texts = of_tests.failures(connection, sorted({row.failure_id for row in own if row.failure_id is not None}))
            summary = _summary(verdict, own, history)
            tried = by_test[verdict.test_id][::-1]
            pages.append(
                TestPage(
                    summary=summary,
                    strip=_strip(own, history)[-MOST_COMMITS:],
                    hidden_commits=max(0, len({history.runs[row.run_id].commit for row in own}) - MOST_COMMITS),
                    durations=_durations(own),
                    failures=_failure_groups(own, texts, history),
                    log=(lines := _log_lines(log.get(verdict.test_id, []), history, verdict.test_id))[:MOST_LOG_LINES],
                    hidden_log=max(0, len(lines) - MOST_LOG_LINES),
                    evidence=_evidence(verdict.evidence),
                    findings=[_finding(row) for row in findings.get(verdict.test_id, [])],
                    experiments=[experiments.view(row, connection) for row in tried if not experiments.is_trace(row)],
                    trace=next((experiments.trace_view(row) for row in tried if experiments.is_trace(row)), None),
                    deaths=experiments.deaths(deaths.get(verdict.test_id, [])),
                    companions=companions.get(verdict.test_id, []),
                    reproduce=_reproduce(verdict, project),
                )
            )
    return pages


def _group(found: Iterable[Any]) -> dict[int, list[Any]]:
    groups: dict[int, list[Any]] = defaultdict(list)
    for row in found:
        groups[row.test_id].append(row)
    return groups


def _when(row: of_tests.ResultRow, history: _History) -> tuple[int, str, int, int, int]:
    run = history.runs[row.run_id]
    started = run.started_at.isoformat() if run.started_at else ""
    return history.commits[run.commit].position, started, run.attempt, row.run_id, row.attempt


def _summary(verdict: rows.VerdictRow, own: Sequence[of_tests.ResultRow], history: _History) -> TestSummary:
    bad = [row for row in own if row.outcome.is_bad]
    lost = {
        run: loss
        for run in history.bad_runs.get(verdict.test_id, ())
        if (loss := history.lost.get(run)) is not None and loss.lost and verdict.test_id in loss.flaky
    }
    return TestSummary(
        identity=verdict.identity,
        slug=history.slugs[verdict.test_id],
        verdict=verdict.verdict,
        p_flaky=verdict.p_flaky,
        rate=verdict.rate,
        mechanism=verdict.mechanism,
        p_mechanism=verdict.p_mechanism,
        since=history.commits.get(verdict.since_commit) if verdict.since_commit else None,
        attempts=sum(row.outcome is not Outcome.SKIPPED for row in own),
        failures=len(bad),
        lost_jobs=len(lost),
        # A job that several flaky tests turned red is shared among them, so that the column adds up.
        lost_s=sum(
            history.totals[run].seconds / len(loss.flaky) for run, loss in lost.items() if run in history.totals
        ),
        last_bad=history.commits[history.runs[bad[-1].run_id].commit] if bad else None,
        recent=[row.outcome for row in own[-RECENT:]],
        framework=verdict.framework,
        file=verdict.file,
        line=verdict.line,
        owner=history.owners.get(verdict.test_id, ""),
    )


def _strip(own: Sequence[of_tests.ResultRow], history: _History) -> list[CommitCells]:
    groups: dict[str, list[Cell]] = {}
    for row in own:
        run = history.runs[row.run_id]
        name = f"{run.external_id}#{run.attempt}" if run.external_id else f"attempt {run.attempt}"
        cell = Cell(row.outcome, run.job or run.workflow, name, row.attempt, row.duration_s)
        groups.setdefault(run.commit, []).append(cell)
    return [CommitCells(history.commits[sha], cells) for sha, cells in groups.items()]


def _durations(own: Sequence[of_tests.ResultRow]) -> Durations:
    passed = sorted(row.duration_s for row in own if row.outcome is Outcome.PASSED and row.duration_s is not None)
    failed = sorted(row.duration_s for row in own if row.outcome.is_bad and row.duration_s is not None)
    return Durations(passed, failed)


def _failure_groups(
    own: Sequence[of_tests.ResultRow], texts: Mapping[int, of_tests.FailureRow], history: _History
) -> list[FailureGroup]:
    groups: dict[bytes, list[of_tests.ResultRow]] = defaultdict(list)
    for row in own:
        if row.failure_id is not None and row.failure_id in texts:
            groups[texts[row.failure_id].fingerprint].append(row)
    found = []
    for fingerprint, members in groups.items():
        newest = texts[members[-1].failure_id or 0]
        first, last = (history.commits[history.runs[row.run_id].commit] for row in (members[0], members[-1]))
        found.append(
            FailureGroup(fingerprint.hex()[:10], len(members), newest.type, newest.message, newest.detail, first, last)
        )
    return sorted(found, key=lambda group: (-group.count, group.fingerprint))[:MOST_FAILURE_GROUPS]


def _log_lines(events: Sequence[of_tests.LogEventRow], history: _History, test_id: int) -> list[LogLine]:
    failed = history.bad_runs.get(test_id, frozenset())
    return [
        LogLine(event.kind.value, event.text, f"{event.path}:{event.line}")
        for event in events
        if event.run_id in failed
    ]


def _evidence(stored: Sequence[Any]) -> list[EvidenceItem]:
    found = []
    for item in stored or []:
        if isinstance(item, Mapping) and item.get("text"):
            weight = item.get("weight")
            found.append(
                EvidenceItem(
                    str(item.get("source", "")),
                    str(item["text"]),
                    float(weight) if isinstance(weight, int | float) else 0.0,
                    str(item.get("ref") or ""),
                )
            )
    return sorted(found, key=lambda item: -item.weight)


def _finding(row: of_tests.FindingRow) -> SourceFinding:
    place = f"{row.file}:{row.line}" if row.line else row.file
    text = row.evidence.get("text") or row.evidence.get("message") or ""
    quote = row.evidence.get("quote") or row.evidence.get("source_lines") or ""
    if isinstance(quote, list):
        quote = "\n".join(str(line) for line in quote)
    return SourceFinding(row.mechanism, row.source, place, str(text), str(quote), row.score)


def _companions(
    connection: Connection, verdicts: Sequence[rows.VerdictRow], history: _History
) -> dict[int, list[Companion]]:
    """Return, for each flagged test, who fails in the same runs: in two at least, and in half of the other's."""
    by_run: dict[int, list[int]] = defaultdict(list)
    for test, run_ids in history.bad_runs.items():
        for run in run_ids:
            by_run[run].append(test)
    chosen: dict[int, list[tuple[int, int]]] = {}
    for verdict in verdicts:
        together: Counter[int] = Counter()
        for run in history.bad_runs.get(verdict.test_id, ()):
            together.update(other for other in by_run[run] if other != verdict.test_id)
        often = [(n, other) for other, n in together.items() if n >= 2 and 2 * n >= len(history.bad_runs[other])]
        chosen[verdict.test_id] = [(other, n) for n, other in sorted(often, key=lambda pair: (-pair[0], pair[1]))]
    wanted = sorted({other for pairs in chosen.values() for other, _ in pairs[:MOST_COMPANIONS]})
    names = of_tests.labels(connection, wanted)
    return {
        test: [
            Companion(names[other].label, history.slugs.get(other), n, len(history.bad_runs[other]))
            for other, n in pairs[:MOST_COMPANIONS]
            if other in names
        ]
        for test, pairs in chosen.items()
    }


def _reproduce(verdict: rows.VerdictRow, project: str | None) -> str:
    """Return the command that reproduces the flake, by the test's key where its id would not survive a shell."""
    label = verdict.identity.label
    plain = re.fullmatch(r"[A-Za-z0-9_./:@%+=,-]+", label) is not None and not label.startswith("-")
    stress = " --stress reap-delay:200ms" if verdict.mechanism is Mechanism.ZOMBIE_COUNTED_ALIVE else " --stress cpu:8"
    where = f" --project {project}" if project and re.fullmatch(r"[\w.-]+", project) else ""
    return f"flakehunter repro{stress}{where} {label if plain else verdict.identity.key.hex()[:12]}"


def _overview(
    connection: Connection,
    project: str | None,
    history: _History,
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
        trend=timeline.trend(runs, history.commits, history.totals, history.lost),
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


def _owner_health(history: _History, summaries: Sequence[TestSummary]) -> list[OwnerHealth]:
    tests = Counter(name for names in history.owners.values() for name in names.split())
    found = []
    for owner, count in tests.items():
        own = [row for row in summaries if owner in row.owner.split()]
        flaky = [row for row in own if row.verdict is Verdict.FLAKY]
        broken = sum(row.verdict is Verdict.BROKEN for row in own)
        lost_jobs, lost_s = sum(row.lost_jobs for row in flaky), sum(row.lost_s for row in flaky)
        found.append(OwnerHealth(owner, count, len(flaky), broken, lost_jobs, lost_s))
    return sorted(found, key=lambda row: (-row.lost_jobs, -row.flaky, -row.broken, row.owner))
