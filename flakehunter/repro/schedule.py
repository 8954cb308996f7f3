"""Which arm is tried next, and when the answer is certain: pure functions over counts.

Rules, at every look: the flawed arm runs alone until it fails once; from then on both arms take turns, so that drift
hits them alike; once the flawed arm's rate is certainly above R it is only tried now and then, to see that the stress
still works.
"""

from dataclasses import dataclass

from flakehunter.model import Interval, ReproVerdict, TrialOutcome
from flakehunter.stats.intervals import clopper_pearson, trials_for_upper_bound
from flakehunter.stats.sequential import Counts, evidence_above, evidence_below, evidence_of_improvement

SENTINEL_EVERY = 12
"""The flawed arm, when certain, still gets one of so many trials."""

FAILURES_TO_BE_CERTAIN = 3
FAILURES_TO_REPRODUCE = 2
"""Without a fix to judge, so many failures of the test's own end the experiment: one may be an accident of the machine,
a second one is a pattern, and the user waits."""
TROUBLE_LIMIT = 4
"""So many trials in a row that say nothing (errors, hangs) end an experiment."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What the user wants to know, and how sure."""

    max_rate: float = 0.05
    """R: a rate below it is good enough."""
    confidence: float = 0.95
    alpha: float = 0.01
    """How often a useless fix may be called one."""
    trials: int | None = None
    """At most so many per arm; None for as many as the rules need."""

    @property
    def clean_trials(self) -> int:
        """Trials without a failure that put the upper end of the interval at R."""
        return trials_for_upper_bound(self.max_rate, confidence=self.confidence)

    @property
    def most_trials(self) -> int:
        """At most so many trials of one arm."""
        return self.trials if self.trials is not None else 4 * self.clean_trials


@dataclass(slots=True)
class Tally:
    """What the trials of one arm said so far."""

    passes: int = 0
    failures: int = 0
    errors: int = 0
    hangs: int = 0
    trouble: int = 0
    """Errors and hangs since the last trial that said something."""
    sentinels: int = 0
    """Trials since the rate is certain; they only show that the stress still works."""

    @property
    def trials(self) -> int:
        """All trials that were run."""
        return self.passes + self.failures + self.errors + self.hangs

    @property
    def counts(self) -> Counts:
        """Return failures among the trials that say something of the test."""
        return Counts(self.failures, self.failures + self.passes)

    def add(self, outcome: TrialOutcome) -> None:
        """Count one trial."""
        match outcome:
            case TrialOutcome.PASSED:
                self.passes += 1
            case TrialOutcome.FAILED:
                self.failures += 1
            case TrialOutcome.ERRORED:
                self.errors += 1
            case TrialOutcome.HUNG:
                self.hangs += 1
        says_nothing = outcome in (TrialOutcome.ERRORED, TrialOutcome.HUNG)
        self.trouble = self.trouble + 1 if says_nothing else 0

    def rate(self, confidence: float) -> Interval:
        """Return the failure rate with its exact interval."""
        return clopper_pearson(self.counts.failures, self.counts.trials, confidence=confidence)


def is_certain(flawed: Tally, rules: Rules) -> bool:
    """Whether the flawed arm's rate is above R, at whatever moment one looks."""
    counts = flawed.counts
    return counts.failures >= FAILURES_TO_BE_CERTAIN and evidence_above(counts, rules.max_rate) >= 1 / rules.alpha


def next_arm(flawed: Tally, fixed: Tally | None, rules: Rules) -> int | None:
    """Return 0 to try the flawed arm, 1 the fixed one, None when the answer is there (see `decide`)."""
    if decide(flawed, fixed, rules) is not None:
        return None
    if fixed is None or flawed.failures == 0:
        return 0
    if flawed.trials >= rules.most_trials:
        return 1
    if is_certain(flawed, rules):
        return 0 if fixed.trials >= SENTINEL_EVERY * (flawed.sentinels + 1) else 1
    return 0 if flawed.trials <= fixed.trials else 1


def decide(flawed: Tally, fixed: Tally | None, rules: Rules) -> ReproVerdict | None:
    """Return the verdict as soon as it is certain, None while another trial may change it."""
    if flawed.failures == 0:
        if flawed.counts.trials >= min(rules.clean_trials, rules.most_trials):
            return _without_failure(flawed, rules)
        return ReproVerdict.UNDECIDED if _hopeless(flawed, rules) else None
    if fixed is None:
        enough = FAILURES_TO_REPRODUCE if rules.trials is None else rules.trials
        done = flawed.failures >= enough or flawed.trials >= min(rules.clean_trials, rules.most_trials)
        return ReproVerdict.REPRODUCED if done or _hopeless(flawed, rules) else None
    if fixed_is_good(flawed, fixed, rules):
        return ReproVerdict.FIX_VERIFIED
    if evidence_above(fixed.counts, rules.max_rate) >= 1 / rules.alpha:
        return ReproVerdict.FIX_INSUFFICIENT
    if _hopeless(fixed, rules) or fixed.trials >= rules.most_trials:
        return ReproVerdict.UNDECIDED
    return None


def fixed_is_good(flawed: Tally, fixed: Tally, rules: Rules) -> bool:
    """Whether the fixed arm's rate is below R, and the change is no accident; a hang counts against a fix."""
    counts = Counts(fixed.failures + fixed.hangs, fixed.counts.trials + fixed.hangs)
    below = clopper_pearson(counts.failures, counts.trials, confidence=rules.confidence).high <= rules.max_rate
    return (
        below
        and fixed.errors <= counts.trials / 10
        and evidence_below(counts, rules.max_rate) >= 1 / (1 - rules.confidence)
        and evidence_of_improvement(flawed.counts, counts) >= 1 / rules.alpha
    )


def _without_failure(flawed: Tally, rules: Rules) -> ReproVerdict:
    certain = flawed.rate(rules.confidence).high <= rules.max_rate
    return ReproVerdict.NOT_REPRODUCED if certain else ReproVerdict.UNDECIDED


def _hopeless(arm: Tally, rules: Rules) -> bool:
    return arm.trouble >= TROUBLE_LIMIT or arm.trials >= 2 * rules.most_trials
