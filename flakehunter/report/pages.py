"""The pages of the tests: everything that is known of each flagged test, as views."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from flakehunter.db.queries import report as rows
from flakehunter.db.queries import report_tests as of_tests
from flakehunter.model import Mechanism, Outcome, TestIdentity
from flakehunter.report import experiments, timeline
from flakehunter.report.views import (
    Cell,
    Commit,
    CommitCells,
    Companion,
    Durations,
    EvidenceItem,
    FailureGroup,
    LogLine,
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
class History:
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


def slug(identity: TestIdentity) -> str:
    """Return the file name, without its ending, of a test's page: stable, unique, safe on every file system."""
    words = re.sub(r"[^a-z0-9]+", "-", identity.name.lower()).strip("-")[:48].strip("-")
    return f"{words or 'test'}-{identity.key.hex()[:10]}"


def test_pages(
    connection: Connection, verdicts: Sequence[rows.VerdictRow], history: History, project: str | None
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
            tries = [experiments.view(row, connection) for row in tried if not experiments.is_trace(row)]
            rates = experiments.rate_table(tries)
            traced = next((experiments.trace_view(row) for row in tried if experiments.is_trace(row)), None)
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
                    experiments=tries,
                    rates=rates,
                    trace=traced,
                    predictions=experiments.predictions(traced, rates),
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


def _when(row: of_tests.ResultRow, history: History) -> tuple[int, str, int, int, int]:
    run = history.runs[row.run_id]
    started = run.started_at.isoformat() if run.started_at else ""
    return history.commits[run.commit].position, started, run.attempt, row.run_id, row.attempt


def _summary(verdict: rows.VerdictRow, own: Sequence[of_tests.ResultRow], history: History) -> TestSummary:
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


def _strip(own: Sequence[of_tests.ResultRow], history: History) -> list[CommitCells]:
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
    own: Sequence[of_tests.ResultRow], texts: Mapping[int, of_tests.FailureRow], history: History
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


def _log_lines(events: Sequence[of_tests.LogEventRow], history: History, test_id: int) -> list[LogLine]:
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
    return SourceFinding(row.mechanism, row.source, place, str(text), _quote(row.evidence), row.score)


def _quote(evidence: Mapping[str, Any]) -> str:
    """Return the source lines of a finding: the one that signals and the one that looks, with their numbers."""
    lines = []
    for what in ("signal", "look"):
        number, source = evidence.get(f"{what}_line"), evidence.get(f"{what}_source")
        if source:
            lines.append(f"{number or '':>5} {what + 's':7} | {source}")
    return "\n".join(lines) or str(evidence.get("quote") or "")


def _companions(
    connection: Connection, verdicts: Sequence[rows.VerdictRow], history: History
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
