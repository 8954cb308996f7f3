"""What an experiment found, as the JSON document of `repro --json` and as sentences."""

from dataclasses import asdict
from typing import Any

from flakehunter.model import SCHEMA_VERSION, ReproVerdict
from flakehunter.repro.bench import Arm
from flakehunter.repro.experiment import Outcome
from flakehunter.repro.schedule import Tally
from flakehunter.stats.sequential import evidence_of_improvement


def to_document(outcome: Outcome) -> dict[str, Any]:
    """Return the document of DESIGN's machine interface; `exact_test` is null without a fix."""
    document: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "verdict": outcome.verdict.value,
        "mechanism": outcome.mechanism.value if outcome.mechanism else None,
        "plan": _plan(outcome),
        "replay": None,
        "arms": [_arm(arm, outcome) for arm in outcome.arms],
        "fixes": _fixes(outcome),
        "deadline": outcome.deadline and asdict(outcome.deadline) | {"text": outcome.deadline.sentence},
        "exact_test": _exact_test(outcome),
        "max_rate": outcome.rules.max_rate,
        "confidence": outcome.rules.confidence,
        "elapsed_s": round(outcome.elapsed_s, 3),
        "warm": outcome.warm,
        "text": sentence(outcome),
        "notes": list(outcome.notes),
    }
    return document


def _counts(tally: Tally, outcome: Outcome) -> dict[str, Any]:
    rate = tally.rate(outcome.rules.confidence)
    return {
        "trials": tally.trials,
        "failures": tally.failures,
        "errors": tally.errors,
        "hangs": tally.hangs,
        "rate": {"value": rate.value, "low": rate.low, "high": rate.high},
    }


def _arm(arm: Arm, outcome: Outcome) -> dict[str, Any]:
    return {
        "name": arm.name,
        "command": arm.command.shown,
        "stressor": arm.stressor,
        "group_kill": arm.group_kill,
        **_counts(arm.tally, outcome),
        "hosts": [{"host": host, **_counts(tally, outcome)} for host, tally in arm.by_host.items()],
        "plans": [{"stressor": stressor, **_counts(tally, outcome)} for stressor, tally in arm.by_plan.items()],
        "left_behind": arm.left_behind,
        "messages": arm.messages,
    }


def _fixes(outcome: Outcome) -> list[dict[str, Any]]:
    """Return a row for each fix: its verdict, and how late the event may be with it."""
    rows = []
    for arm, verdict, check in zip(outcome.fixes, outcome.verdicts, outcome.checks, strict=True):
        late = None
        if check is not None:
            late = asdict(check) | {"holds": check.holds, "text": check.sentence}
        rows.append({"name": arm.name, "group_kill": arm.group_kill, "verdict": verdict.value, "critical_delay": late})
    return rows


def _plan(outcome: Outcome) -> dict[str, Any]:
    plan = outcome.plan
    if plan is None:  # no search, or none that found anything: readers may rely on the keys all the same
        return dict.fromkeys(("process", "argv", "event", "critical_delay_ms"))
    return {
        "process": plan.process.index,
        "argv": plan.process.argv,
        "event": plan.event,
        "critical_delay_ms": round(plan.critical_delay_ms, 1),
        "delay_ms": round(plan.delay_ms, 1),
        "stressor": plan.stressor,
        "text": plan.sentence,
    }


def _told_fix(outcome: Outcome) -> int | None:
    """Return the place of the fix that the verdict is about: the first that has it; None without a fix."""
    return outcome.verdicts.index(outcome.verdict) if outcome.verdicts else None


def _exact_test(outcome: Outcome) -> dict[str, Any] | None:
    place = _told_fix(outcome)
    if place is None:
        return None
    fixed = outcome.fixes[place]
    evidence = evidence_of_improvement(outcome.arms[0].tally.counts, fixed.tally.counts)
    return {
        "null": "the failure rate after the fix is no smaller than before",
        "method": "anytime-valid likelihood-ratio mixture (universal inference), valid at every look",
        "e_value": evidence,
        "p_value": min(1.0, 1.0 / evidence) if evidence > 0 else 1.0,
    }


def percent(rate: float) -> str:
    """Return a rate in percent with as many digits as it deserves."""
    value = rate * 100
    return f"{value:.0f} %" if value >= 9.95 or value == 0 else f"{value:.1f} %"


def sentence(outcome: Outcome) -> str:
    """Return the verdict in one sentence."""
    flawed, rules = outcome.arms[0], outcome.rules
    place = _told_fix(outcome)
    fixed = None if place is None else outcome.fixes[place]
    check = None if place is None else outcome.checks[place]
    counts = flawed.tally.counts
    rate = flawed.tally.rate(rules.confidence)
    sure = f"{rules.confidence * 100:g} % confidence"
    before = f"{counts.failures} of {counts.trials} trials failed under {flawed.stressor}"
    match outcome.verdict:
        case ReproVerdict.REPRODUCED:
            return f"reproduced: {before}, {percent(rate.low)} to {percent(rate.high)} at {sure}."
        case ReproVerdict.NOT_REPRODUCED:
            rest = " No verdict on the fix without a failure before it." if fixed else ""
            return f"not reproduced: {before}, so it fails in at most {percent(rate.high)} of runs at {sure}.{rest}"
        case ReproVerdict.UNDECIDED:
            return f"undecided: {before}; {outcome.reason}."
    moved = f" With it {check.sentence}." if check is not None else ""
    assert fixed is not None  # the other verdicts are about a fix
    after = fixed.tally.rate(rules.confidence)
    done = f"{fixed.tally.failures} of {fixed.tally.counts.trials} trials failed"
    if len(outcome.fixes) > 1:
        done = f"with {fixed.name} {done}"
    if outcome.verdict is ReproVerdict.FIX_VERIFIED:
        return f"fix verified: {done}, at most {percent(after.high)} at {sure}; before the fix {before}.{moved}"
    if check is not None and not check.holds:
        return (
            f"fix insufficient: it fails with the event {check.critical_ms:.0f} ms late, and has to hold with "
            f"{check.required_ms:.0f} ms; before the fix {before}.{moved}"
        )
    return (
        f"fix insufficient: {done} under {fixed.stressor}, at least {percent(after.low)} at {sure}; before the fix "
        f"{before}.{moved}"
    )
