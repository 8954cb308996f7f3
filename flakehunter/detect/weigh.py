"""Weigh the evidence of one test: P(flaky), P(mechanism | flaky), the verdict, and the reasons in words.

P(flaky) starts from `PRIOR_FLAKY`, for a test that has failed, and adds, in natural log-odds, the Bayes factor of the
history model times a learnt weight, up to the weight of `text` for failure texts that speak of a mechanism, and what
reproductions and findings say.

P(mechanism | flaky) starts from eight mechanisms that share `PRIOR_KNOWN` evenly, and "another cause" with the rest.
A rule of weight w means: with this match alone, the probability of its mechanism is w. So its likelihood ratio is
odds(w) / odds(prior). Where it fits only a share s of the failures, the ratio is 1 + s (ratio - 1). Further matches
for the same mechanism are mostly the same words seen again: the second counts half its log-odds, the third a quarter.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from flakehunter.console import plural
from flakehunter.db.queries.findings import ExperimentRow, FindingRow
from flakehunter.detect.circumstances import Circumstances
from flakehunter.detect.clusters import BadRun
from flakehunter.detect.history import CHANGE_FROM, TestHistory
from flakehunter.detect.text import Match
from flakehunter.detect.weights import weights
from flakehunter.model import Evidence, EvidenceSource, Interval, Mechanism, ReproVerdict, Verdict

PRIOR_FLAKY = weights().prior_flaky
"""A test that has failed at least once is flaky."""

PRIOR_UNFAILED = weights().prior_unfailed
"""A test that has never failed outside of outages is flaky."""

PRIOR_KNOWN = 0.5
"""A flaky test flakes by one of the eight mechanisms; the rest is order, network, randomness and the like."""

FINDING_LOG_ODDS = {EvidenceSource.SCAN: weights().scan, EvidenceSource.TRACE: weights().trace}
"""What a finding of score 1 adds for "flaky"."""

TIMING = (
    Mechanism.CHECK_BEFORE_EXIT,
    Mechanism.FIXED_SLEEP,
    Mechanism.SIGNAL_BEFORE_READY,
    Mechanism.DEADLINE_TOO_SHORT,
)

UNPROVEN_LOG_ODDS = math.log(weights().unproven / (1.0 - weights().unproven))
"""Highest log-odds with one lone streak of failures and neither same-commit proof nor a reproduction."""

SUREST = 20.0
"""Log-odds beyond which nothing is said: the model may be wrong, and no P is 0 or 1."""

UNKNOWN_FROM = 0.11
"""From this P(flaky) to one half the verdict is `unknown`: a few more runs will tell. Between what is said of any test
that has failed and the highest without proof, so that a lone short failure is unknown."""

FEW_RUNS = 3
"""With fewer executions nothing is said but `unknown`."""

MECHANISM_FROM = 0.35
"""P(mechanism | flaky) below which no mechanism is named."""


@dataclass(frozen=True, slots=True)
class Weighed:
    """The verdict on one test; `mechanism` only for flaky and unknown tests."""

    verdict: Verdict
    p_flaky: float
    rate: Interval
    mechanism: Mechanism | None
    p_mechanism: float | None
    since: str
    evidence: Sequence[Evidence]


@dataclass(frozen=True, slots=True)
class Case:
    """All that is known of one test; `history` is None when it never failed outside of outages."""

    executed: int
    history: TestHistory | None
    matches: Sequence[Match] = ()
    findings: Sequence[FindingRow] = ()
    experiments: Sequence[ExperimentRow] = ()
    outage_failures: int = 0
    bad_runs: Sequence[BadRun] = ()
    """Runs in which it failed together with many others, and whose failures are in no other number."""
    circumstances: Circumstances = field(default_factory=Circumstances)
    together: Sequence[str] = ()
    """Ids of other flaky tests that fail in mostly the same runs."""
    sensitivity: float = 0.0
    """Natural log of the evidence that it is always the same tests that fail in bad runs."""

    @property
    def is_bare(self) -> bool:
        """Whether all that is known are the executions and the failures in outages."""
        known = self.history or self.matches or self.findings or self.experiments or self.bad_runs
        return not (known or self.sensitivity or self.together or self.circumstances.splits)


def weigh(case: Case) -> Weighed:
    """Return the verdict on one test with its reasons, strongest first."""
    return _of_bare(case.executed, case.outage_failures) if case.is_bare else _weighed(case)


@lru_cache(maxsize=1024)  # most tests have never failed, and were executed equally often
def _of_bare(executed: int, outage_failures: int) -> Weighed:
    return _weighed(Case(executed, None, outage_failures=outage_failures))


def _weighed(case: Case) -> Weighed:
    history = case.history
    p_flaky = _p_flaky(case)
    verdict = _verdict(case, p_flaky)
    shares = mechanism_shares(case)
    mechanism, p_mechanism = most_likely(shares)
    # Words that speak of a cause count for as much as the test is flaky, and flaky by that cause.
    scale = 1.0 if verdict in (Verdict.FLAKY, Verdict.UNKNOWN) else p_flaky
    evidence = _history_evidence(case) + _text_evidence(case, shares, scale) + _other_evidence(case)
    evidence.sort(key=lambda item: -item.weight)
    if verdict not in (Verdict.FLAKY, Verdict.UNKNOWN):
        mechanism, p_mechanism = None, None
    rate = history.rate if history else _rate_of_passes(case.executed)
    since = history.since if history and verdict in (Verdict.FLAKY, Verdict.UNKNOWN) else ""
    if history and verdict is Verdict.BROKEN:
        since = history.broken_since
    return Weighed(verdict, p_flaky, rate, mechanism, p_mechanism, since, evidence)


def verdict_of(case: Case) -> Verdict:
    """Return the verdict alone."""
    return weigh(case).verdict if case.is_bare else _verdict(case, _p_flaky(case))


def _rate_of_passes(executed: int) -> Interval:
    from flakehunter.stats.intervals import jeffreys

    return jeffreys(0, executed)


def _logit(probability: float) -> float:
    return math.log(probability / (1.0 - probability))


def _expit(log_odds: float) -> float:
    return 1.0 / (1.0 + math.exp(-max(-SUREST, min(SUREST, log_odds))))


def _reproduced(experiment: ExperimentRow) -> bool:
    return experiment.verdict is not ReproVerdict.NOT_REPRODUCED and 0 < experiment.failures < experiment.trials


def _p_flaky(case: Case) -> float:
    history = case.history
    log_odds = _logit(PRIOR_FLAKY if history else PRIOR_UNFAILED)
    log_odds += (weights().history * history.log_bayes_factor if history else 0.0) + case.sensitivity
    if history:
        log_odds += weights().text * max((match.rule.weight * match.share for match in case.matches), default=0.0)
    for source, most in FINDING_LOG_ODDS.items():
        log_odds += most * max((one.score for one in case.findings if one.source is source), default=0.0)
    if any(_reproduced(experiment) for experiment in case.experiments):
        return _expit(max(log_odds, 0.0) + weights().reproduced)
    repeats = (history.short_streaks if history else 0) + len(case.bad_runs)
    if not ((history and history.has_proof) or repeats >= 2):
        log_odds = min(log_odds, UNPROVEN_LOG_ODDS)
    return _expit(log_odds)


def _verdict(case: Case, p_flaky: float) -> Verdict:
    if p_flaky >= 0.5:
        return Verdict.FLAKY
    if case.executed < FEW_RUNS:
        return Verdict.UNKNOWN
    if case.history and case.history.broken_now:
        return Verdict.BROKEN
    if case.history and case.history.only_breakages:
        return Verdict.HEALTHY
    return Verdict.UNKNOWN if p_flaky >= UNKNOWN_FROM else Verdict.HEALTHY


def mechanism_log_odds(case: Case) -> dict[Mechanism, float]:
    """Return the log likelihood ratio of each mechanism that has any evidence, against "another cause"."""
    prior = PRIOR_KNOWN / len(Mechanism)
    seen: dict[Mechanism, list[tuple[float, float]]] = {}
    for match in case.matches:
        seen.setdefault(match.rule.mechanism, []).append((match.rule.weight, match.share))
    for finding in case.findings:
        seen.setdefault(finding.mechanism, []).append((min(max(finding.score, 0.01), 0.99), 1.0))
    for experiment in case.experiments:
        if experiment.mechanism is not None and _reproduced(experiment):
            seen.setdefault(experiment.mechanism, []).append((0.9, 1.0))
    result = {}
    if case.circumstances.load_sensitive:
        for mechanism in TIMING:
            seen.setdefault(mechanism, [])
    for mechanism, pairs in seen.items():
        ratios = [1.0 + share * (math.exp(_logit(weight) - _logit(prior)) - 1.0) for weight, share in pairs]
        ordered = sorted((math.log(ratio) for ratio in ratios), reverse=True)
        result[mechanism] = sum(value * 0.5**place for place, value in enumerate(ordered))
        if mechanism in TIMING and case.circumstances.load_sensitive:
            result[mechanism] += weights().load
    return result


def mechanism_shares(case: Case) -> Mapping[Mechanism, float]:
    """Return P(mechanism | flaky) of each mechanism; what is missing to 1 is "another cause"."""
    return _shares(tuple(mechanism_log_odds(case).items()))


@lru_cache(maxsize=1024)  # of most tests nothing is known
def _shares(log_odds: tuple[tuple[Mechanism, float], ...]) -> Mapping[Mechanism, float]:
    scores = dict(log_odds)
    prior = PRIOR_KNOWN / len(Mechanism)
    shares = {mechanism: prior * math.exp(min(scores.get(mechanism, 0.0), 60.0)) for mechanism in Mechanism}
    total = sum(shares.values()) + (1.0 - PRIOR_KNOWN)
    return {mechanism: share / total for mechanism, share in shares.items()}


def most_likely(shares: Mapping[Mechanism, float]) -> tuple[Mechanism | None, float | None]:
    """Return the most likely mechanism and its probability; None when none stands out."""
    best = max(shares, key=lambda mechanism: shares[mechanism])
    return (best, shares[best]) if shares[best] >= MECHANISM_FROM else (None, None)


def _history_evidence(case: Case) -> list[Evidence]:
    history = case.history
    found: list[tuple[float, str, str]] = []
    if history:
        weight = _expit(_logit(PRIOR_FLAKY) + weights().history * history.log_bayes_factor)
        jobs = ", ".join(history.kinds[:2]) + (f" and {len(history.kinds) - 2} more" if len(history.kinds) > 2 else "")
        counts = f"{history.failed} of {history.executed} executions failed, in {jobs}"
        if history.has_proof:
            text = (
                f"same commit, both outcomes at {plural(len(history.mixed), 'commit')} of {history.commits}: proof "
                f"of a flake ({counts})"
            )
            found.append((weight, text, "commits:" + ",".join(history.mixed)))
        elif history.short_streaks:
            text = (
                f"no commit with both outcomes; from flips between commits, streaks of 3 or more failures left out: "
                f"{plural(history.short_streaks, 'short failure')} between passing commits ({counts})"
            )
            found.append((weight, text, f"commits:{history.last_failed}"))
        if history.mixed_runs:
            text = f"a retry turned a failure into a pass in {plural(history.mixed_runs, 'run')}"
            found.append((min(weight, 0.9), text, "commits:" + ",".join(history.mixed)))
        if history.broken_now:
            text = f"fails in every run since commit {history.broken_since[:12]} ({counts})"
            found.append((max(0.9 - weight, 0.3), text, f"commits:{history.broken_since}"))
        elif history.broken_streaks:
            text = (
                f"was broken over {plural(history.broken_streaks, 'streak')} of 3 or more commits and is mended: "
                "counted as a regression, not as a flake"
            )
            found.append((0.5, text, f"commits:{history.last_failed}"))
        found += _circumstances(case) + _onset(history)
        if not found and history.failed:
            found.append(
                (0.2, f"{counts}: too little to tell a flake from a breakage", "commits:" + history.last_failed)
            )
    if case.bad_runs:
        most = max(one.run.failed for one in case.bad_runs) - 1
        text = (
            f"failed in {plural(len(case.bad_runs), 'bad run')} together with up to {plural(most, 'other test')}: "
            "counted as one cause"
        )
        if case.sensitivity > 1.0:
            text += "; but it is always the same tests that such runs hit"
        runs = ",".join(str(one.run.id) for one in case.bad_runs)
        found.append((max(0.15, min(0.9, 1.0 - math.exp(-case.sensitivity))), text, f"runs:{runs}"))
    if case.outage_failures:
        text = f"failed in {plural(case.outage_failures, 'run')} that was an outage: counted as none of its own"
        text = text.replace("that was an outage", "that were outages") if case.outage_failures > 1 else text
        found.append((0.1, text, ""))
    return [Evidence(EvidenceSource.HISTORY, text, round(weight, 4), ref) for weight, text, ref in found]


def _onset(history: TestHistory) -> list[tuple[float, str, str]]:
    change = history.onset
    if change is None or change.probability < CHANGE_FROM:
        return []
    low, best, high = history.onset_commits
    where = f"at commit {best[:12]}" if low == high else f"between commits {low[:12]} and {high[:12]}"
    text = (
        f"began to fail {where}, most likely {best[:12]} (95 % range, probability of a change {change.probability:.2f})"
    )
    if low == high:
        text = f"began to fail {where} (probability of a change {change.probability:.2f})"
    if history.onset_changes:
        text += f"; at the same time {' and '.join(history.onset_changes)}"
    return [(0.4 * change.probability, text, f"commits:{low},{best},{high}")]


def _circumstances(case: Case) -> list[tuple[float, str, str]]:
    found = [
        (0.6 * (1.0 - split.q_value), f"{split.text} (q = {split.q_value:.2g})", f"{split.factor}")
        for split in case.circumstances.splits
    ]
    if case.together:
        shown = ", ".join(case.together[:3])
        more = f" and {len(case.together) - 3} more" if len(case.together) > 3 else ""
        found.append((0.35, f"fails in mostly the same runs as {shown}{more}: perhaps one cause", ""))
    return found


def _text_evidence(case: Case, shares: Mapping[Mechanism, float], scale: float) -> list[Evidence]:
    """Return the matches in words; several rules for one mechanism that fit the same words are one piece."""
    total = case.history.failed if case.history else 0
    evidence = []
    seen: set[tuple[Mechanism, str]] = set()
    for match in sorted(case.matches, key=lambda match: -match.rule.weight * match.share):
        mechanism = match.rule.mechanism
        if {(mechanism, match.quote), (mechanism, match.rule.says)} & seen:
            continue
        seen |= {(mechanism, match.quote), (mechanism, match.rule.says)}
        often = f" ({match.failures} of {total} failures)" if total and match.channel != "name" else ""
        what = f"{match.rule.says}: “{match.quote}”{often} → {mechanism}"
        weight = round(match.rule.weight * min(match.share, 1.0) * shares[mechanism] * scale, 4)
        evidence.append(Evidence(EvidenceSource.TEXT, what, weight, match.ref))
    return evidence


def _other_evidence(case: Case) -> list[Evidence]:
    evidence = []
    for finding in case.findings:
        where = f"{finding.file}:{finding.line}" if finding.line else finding.file
        text = str(finding.evidence.get("text") or finding.evidence.get("message") or finding.mechanism)
        ref = f"findings:{finding.id} {where}".strip()
        evidence.append(Evidence(finding.source, f"{text} → {finding.mechanism}", round(finding.score, 4), ref))
    for experiment in case.experiments:
        if _reproduced(experiment):
            text, weight = f"repro made it fail: {experiment.arm} ({experiment.verdict})", 0.97
        else:
            text, weight = f"repro: {experiment.verdict}, {experiment.failures} of {experiment.trials} failed", 0.3
        evidence.append(Evidence(EvidenceSource.REPRO, text, weight, f"experiments:{experiment.id}"))
    return evidence
