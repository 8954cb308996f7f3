"""A report as a JSON document; docs/report.schema.json describes it, and a test holds the two together."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from flakehunter.model import SCHEMA_VERSION, Interval
from flakehunter.report.guide import GUIDES
from flakehunter.report.views import Change, Changes, Site, TestPage, TestSummary


def to_document(site: Site) -> dict[str, Any]:
    """Return the report as plain data: rates in [0, 1], times in seconds, moments in ISO 8601."""
    overview = site.overview
    pages = {page.summary.slug: page for page in site.pages}
    return {
        "schema_version": SCHEMA_VERSION,
        "project": overview.project,
        "scope": {
            "since": _moment(overview.scope.since),
            "branch": overview.scope.branch or None,
            "owner": overview.scope.owner or None,
        },
        "warning": overview.warning or None,
        "tests": overview.tests,
        "results": overview.results,
        "jobs": overview.runs,
        "commits": overview.commits,
        "first": _moment(overview.first),
        "last": _moment(overview.last),
        "cost": {
            "red_jobs": overview.cost.red,
            "lost_jobs": overview.cost.lost,
            "lost_s": overview.cost.lost_s,
            "total_s": overview.cost.total_s,
            "flaky_failures": overview.cost.flaky_failures,
        },
        "trend": {"unit": overview.trend.unit, "periods": [asdict(period) for period in overview.trend.periods]},
        "mechanisms": [
            {
                "mechanism": row.mechanism.value if row.mechanism else None,
                "tests": row.tests,
                "lost_jobs": row.lost_jobs,
            }
            for row in overview.mechanisms
        ],
        "owners": [asdict(row) for row in overview.owners],
        "changes": changes_document(site.changes) if site.changes else None,
        "flaky": [_test(row, pages[row.slug]) for row in overview.flaky],
        "broken": [_test(row, pages[row.slug]) for row in overview.broken],
        "unknown": [_test(row, pages[row.slug]) for row in overview.unsure],
    }


def _moment(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _rate(rate: Interval) -> dict[str, float]:
    return {"value": rate.value, "low": rate.low, "high": rate.high}


def _test(row: TestSummary, page: TestPage) -> dict[str, Any]:
    return {
        "id": row.label,
        "key": row.identity.key.hex(),
        "suite": row.identity.suite,
        "classname": row.identity.classname,
        "name": row.identity.name,
        "verdict": row.verdict.value,
        "p_flaky": row.p_flaky,
        "flake_rate": _rate(row.rate),
        "mechanism": row.mechanism.value if row.mechanism else None,
        "p_mechanism": row.p_mechanism,
        "since": row.since.sha if row.since else None,
        "last_failed": row.last_bad.sha if row.last_bad else None,
        "attempts": row.attempts,
        "failures": row.failures,
        "lost_jobs": row.lost_jobs,
        "lost_s": row.lost_s,
        "owner": row.owner or None,
        "file": row.file or None,
        "line": row.line,
        "page": f"tests/{row.slug}.html",
        "reproduce": page.reproduce,
        "evidence": [asdict(item) for item in page.evidence],
        "failures_by_fingerprint": [
            {
                "fingerprint": group.fingerprint,
                "count": group.count,
                "type": group.type,
                "message": group.message,
                "first": group.first.sha,
                "last": group.last.sha,
            }
            for group in page.failures
        ],
    }


def changes_document(changes: Changes) -> dict[str, Any]:
    """Return what changed as plain data."""
    kinds = {name: [_change(row) for row in getattr(changes, name)] for name in ("new", "worse", "better", "healed")}
    return {"until": changes.until or None, "new_jobs": changes.runs, "lost_jobs": changes.lost, **kinds}


def _change(row: Change) -> dict[str, Any]:
    return {"id": row.label, "before": row.before, "after": row.after, "now": row.now.value if row.now else None}


def code_quality(site: Site) -> list[dict[str, Any]]:
    """Return the flaky tests as findings of GitLab's code quality report (the Code Climate format, as far as GitLab
    reads it: description, check_name, fingerprint, severity, location).
    """
    return [
        {
            "description": f"{row.name} is flaky: it fails {row.rate.value:.1%} of the time"
            + (f", because {GUIDES[row.mechanism].short}" if row.mechanism else ""),
            "check_name": row.mechanism.value if row.mechanism else "flaky",
            "fingerprint": row.identity.key.hex(),
            "severity": "major" if row.lost_jobs else "minor",
            "location": {"path": row.file or row.identity.classname or row.label, "lines": {"begin": row.line or 1}},
        }
        for row in site.overview.flaky
    ]
