"""What an experiment found, as the JSON document of `repro --json` and as sentences."""

from typing import Any

from flakehunter.model import SCHEMA_VERSION, ReproVerdict
from flakehunter.repro.experiment import FIXED, Arm, Outcome
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
        "exact_test": _exact_test(outcome),
        "max_rate": outcome.rules.max_rate,
        "confidence": outcome.rules.confidence,
        "elapsed_s": round(outcome.elapsed_s, 3),
        "warm": outcome.warm,
        "text": sentence(outcome),
        "notes": list(outcome.notes),
    }
    return document


def _arm(arm: Arm, outcome: Outcome) -> dict[str, Any]:
    rate = arm.tally.rate(outcome.rules.confidence)
    return {
        "name": arm.name,
        "command": arm.command.shown,
        "stressor": arm.stressor,
        "group_kill": arm.group_kill,
        "trials": arm.tally.trials,
        "failures": arm.tally.failures,
        "errors": arm.tally.errors,
        "hangs": arm.tally.hangs,
        "rate": {"value": rate.value, "low": rate.low, "high": rate.high},
        "left_behind": arm.left_behind,
        "messages": arm.messages,
    }


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


def _fixed(outcome: Outcome) -> Arm | None:
    return next((arm for arm in outcome.arms if arm.name == FIXED), None)


def _exact_test(outcome: Outcome) -> dict[str, Any] | None:
    fixed = _fixed(outcome)
    if fixed is None:
        return None
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
    fixed = _fixed(outcome)
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
    assert fixed is not None  # the other verdicts are about a fix
    after = fixed.tally.rate(rules.confidence)
    done = f"{fixed.tally.failures} of {fixed.tally.counts.trials} trials failed"
    if outcome.verdict is ReproVerdict.FIX_VERIFIED:
        return f"fix verified: {done}, at most {percent(after.high)} at {sure}; before the fix {before}."
    return (
        f"fix insufficient: {done} under {fixed.stressor}, at least {percent(after.low)} at {sure}; before it {before}."
    )
