"""Read what `repro` stored of an experiment: its document, or, where that lacks the arms, its trials."""

import math
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from flakehunter.db.queries import report_tests as rows
from flakehunter.model import Interval, ReproVerdict, TrialOutcome
from flakehunter.report.views import (
    Arm,
    Deaths,
    ExperimentView,
    Prediction,
    RateCell,
    RateTable,
    TracedEvent,
    TraceView,
)
from flakehunter.stats.intervals import clopper_pearson

SENTENCES: Mapping[ReproVerdict | None, str] = {
    ReproVerdict.REPRODUCED: "Reproduced: the test failed on demand.",
    ReproVerdict.NOT_REPRODUCED: "Not reproduced: the test did not fail often enough under this stress.",
    ReproVerdict.FIX_VERIFIED: "Fix verified: the flawed test failed, the fixed one held under the same stress.",
    ReproVerdict.FIX_INSUFFICIENT: "Fix insufficient: the fixed test still fails.",
    ReproVerdict.UNDECIDED: "Undecided: the trials do not settle it.",
}


MARGIN = 10
"""A recommended deadline is so many times the slowest death that was seen."""


def is_trace(row: rows.ExperimentRow) -> bool:
    """Whether an experiment is a traced run: it has findings, and neither arms nor a verdict."""
    return row.verdict is None and "findings" in row.summary


def trace_view(row: rows.ExperimentRow) -> TraceView:
    """Return what the page shows of a traced run."""
    found = row.summary["findings"]
    exit_code = row.summary.get("exit_code")
    return TraceView(
        command=row.command,
        started_at=row.started_at,
        exit_code=exit_code if isinstance(exit_code, int) else None,
        events=[_event(item) for item in found if isinstance(item, Mapping)] if isinstance(found, list) else [],
    )


def _event(item: Mapping[str, Any]) -> TracedEvent:
    moments = [(name, _number(item.get(f"{name}_ms"))) for name in ("signal", "exit", "reap", "look")]
    known = [(name, time) for name, time in moments if time is not None]
    argv = item.get("argv") or ""
    command = " ".join(str(word) for word in argv) if isinstance(argv, list) else str(argv)
    return TracedEvent(
        mechanism=str(item.get("mechanism", "")),
        process=f"{item.get('pid', '')} {command}".strip(),
        text=str(item.get("text", "")),
        slack_ms=_number(item.get("slack_ms")),
        moments=sorted(known, key=lambda pair: pair[1]),
        predicted=[*_predicted(item.get("predicted_rates")), *_predicted_by_repro(item.get("compared"))],
    )


def _predicted(stored: object) -> list[tuple[str, float]]:
    pairs = stored.items() if isinstance(stored, Mapping) else ()
    return [(str(load), rate) for load, value in pairs if (rate := _number(value)) is not None]


def _predicted_by_repro(stored: object) -> list[tuple[str, float]]:
    """Return (stressor, rate) of the loads under which `repro` has measured the times to death of that process."""
    items = stored if isinstance(stored, list) else []
    pairs = [(item.get("stressor"), _number(item.get("predicted"))) for item in items if isinstance(item, Mapping)]
    return [(str(load), rate) for load, rate in pairs if rate is not None]


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


FIXED = "fixed"
"""The name of the arm with the fix: its rate is no rate of the test as it is."""


def rate_table(views: Sequence[ExperimentView]) -> RateTable | None:
    """Return the failure rates of all trials without a fix, pooled over the experiments with a test.

    The intervals are those of Clopper and Pearson for a fixed number of trials. Experiments stop early where the answer
    is clear, so pooled rates lean a little to the extremes; those of a single experiment do not.
    """
    counts: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    for view in views:
        for arm in view.arms:
            if arm.name != FIXED:
                ended = arm.trials - arm.errors - arm.hangs
                counts[arm.stressor, arm.group_kill][0] += arm.failures
                counts[arm.stressor, arm.group_kill][1] += ended
    known = {key: RateCell(bad, of, clopper_pearson(bad, of)) for key, (bad, of) in counts.items() if of > 0}
    if not known:
        return None
    kills = sorted({kill for _, kill in known})
    stressors = sorted({stressor for stressor, _ in known}, key=lambda name: (name not in ("", "none"), name))
    return RateTable(kills, [(stressor, [known.get((stressor, kill)) for kill in kills]) for stressor in stressors])


def predictions(trace: TraceView | None, rates: RateTable | None) -> list[Prediction]:
    """Return the predicted rates of the finding that comes too early most often, beside those that `repro` observed."""
    events = trace.events if trace else ()
    worst = max(events, key=lambda event: max((rate for _, rate in event.predicted), default=-1.0), default=None)
    observed = dict(rates.rows) if rates else {}
    found = []
    for load, rate in worst.predicted if worst else ():
        busy = re.fullmatch(r"(\d+) busy workers", load)
        stressor = f"cpu:{busy[1]}" if busy else "none" if load == "plain" else load
        cells = [cell for cell in observed.get(stressor, ()) if cell is not None] if stressor else []
        found.append(Prediction(load, rate, max(cells, key=lambda cell: cell.trials, default=None)))
    return found


def deaths(found: Sequence[rows.DeathRow]) -> list[Deaths]:
    """Return the times to death by stressor and backend; a recommended deadline is ten times the slowest of them.

    The next death is slower than the slowest of n with a probability of 1/(n+1) only if nothing else changes, and
    another machine changes everything: so the margin, and the rounding up to 1, 2 or 5 times a power of ten.
    """
    groups: dict[tuple[str, str], list[float]] = defaultdict(list)
    for row in found:
        groups[row.stressor, row.group_kill].append(max(0.0, row.time_ms))
    return [
        Deaths(stressor, kill, sorted(times), deadline_s(max(times)))
        for (stressor, kill), times in sorted(groups.items())
    ]


def deadline_s(slowest_ms: float) -> float:
    """Return the deadline in seconds that a slowest death recommends: at least 1 s."""
    wanted = max(1.0, MARGIN * slowest_ms / 1000)
    power = 10.0 ** math.floor(math.log10(wanted))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= wanted * (1 - 1e-9))


def view(row: rows.ExperimentRow, connection: Connection) -> ExperimentView:
    """Return what the page shows of an experiment."""
    stored = row.summary.get("arms")
    arms = [_arm(item) for item in stored if isinstance(item, Mapping)] if isinstance(stored, list) else []
    return ExperimentView(
        verdict=row.verdict.value if row.verdict else "",
        sentence=str(row.summary.get("text") or SENTENCES.get(row.verdict, "The experiment came to no verdict.")),
        command=row.command,
        replay=str(row.summary.get("replay") or ""),
        started_at=row.started_at,
        arms=arms or _arms_of_trials(connection, row.id),
        notes=[str(note) for note in row.summary.get("notes") or ()],
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
