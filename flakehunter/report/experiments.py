"""Read what `repro` stored of an experiment: its document, or, where that lacks the arms, its trials."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from flakehunter.db.queries import report as rows
from flakehunter.model import Interval, ReproVerdict, TrialOutcome
from flakehunter.report.views import Arm, ExperimentView
from flakehunter.stats.intervals import clopper_pearson

SENTENCES = {
    ReproVerdict.REPRODUCED: "Reproduced: the test failed on demand.",
    ReproVerdict.NOT_REPRODUCED: "Not reproduced: the test did not fail often enough under this stress.",
    ReproVerdict.FIX_VERIFIED: "Fix verified: the flawed test failed, the fixed one held under the same stress.",
    ReproVerdict.FIX_INSUFFICIENT: "Fix insufficient: the fixed test still fails.",
    ReproVerdict.UNDECIDED: "Undecided: the trials do not settle it.",
}


def view(row: rows.ExperimentRow, connection: Connection) -> ExperimentView:
    """Return what the page shows of an experiment."""
    stored = row.summary.get("arms")
    arms = [_arm(item) for item in stored if isinstance(item, Mapping)] if isinstance(stored, list) else []
    return ExperimentView(
        verdict=row.verdict.value if row.verdict else "",
        sentence=SENTENCES[row.verdict] if row.verdict else "The experiment came to no verdict.",
        command=row.command,
        replay=str(row.summary.get("replay") or ""),
        started_at=row.started_at,
        arms=arms or _arms_of_trials(connection, row.id),
    )


def _arm(item: Mapping[str, Any]) -> Arm:
    rate = item.get("rate") or {}
    return Arm(
        name=str(item.get("name", "")),
        stressor=str(item.get("stressor", "")),
        group_kill=str(item.get("group_kill") or ""),
        trials=int(item.get("trials", 0)),
        failures=int(item.get("failures", 0)),
        errors=int(item.get("errors", 0)),
        hangs=int(item.get("hangs", 0)),
        rate=Interval(float(rate.get("value", 0)), float(rate.get("low", 0)), float(rate.get("high", 1))),
    )


def _arms_of_trials(connection: Connection, experiment_id: int) -> list[Arm]:
    counts: dict[tuple[str, str, str], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for arm, stressor, kill, outcome, count in rows.trial_counts(connection, experiment_id):
        counts[arm, stressor, kill][outcome] += count
    arms = []
    for (arm, stressor, kill), by in sorted(counts.items()):
        failed, passed = by[TrialOutcome.FAILED], by[TrialOutcome.PASSED]
        rate = clopper_pearson(failed, failed + passed)
        total = sum(by.values())
        arms.append(Arm(arm, stressor, kill, total, failed, by[TrialOutcome.ERRORED], by[TrialOutcome.HUNG], rate))
    return arms
