"""E-values: their size at known counts, and their promise under any stopping rule, by simulation."""

import math
import random

import numpy as np
import pytest
import scipy

from flakehunter.stats.intervals import clopper_pearson
from flakehunter.stats.sequential import Counts, evidence_above, evidence_below, evidence_of_improvement


def test_seventy_two_clean_trials_are_enough_for_five_percent() -> None:
    assert evidence_below(Counts(0, 72), 0.05) >= 20
    assert evidence_below(Counts(0, 57), 0.05) < 20
    assert clopper_pearson(0, 72).high <= 0.05


@pytest.mark.parametrize(("failures", "trials"), [(0, 10), (1, 40), (3, 3), (5, 30)])
def test_evidence_on_one_rate_is_the_mixture_it_says(failures: int, trials: int) -> None:
    rate = 0.05

    def ratio(p: float) -> float:
        return float(scipy.stats.binom.pmf(failures, trials, p) / scipy.stats.binom.pmf(failures, trials, rate))

    above = scipy.integrate.quad(ratio, rate, 1.0)[0] / (1.0 - rate)
    below = 0.5 * ratio(0.0) + 0.5 * scipy.integrate.quad(ratio, 0.0, rate)[0] / rate
    assert evidence_above(Counts(failures, trials), rate) == pytest.approx(above, rel=1e-6)
    assert evidence_below(Counts(failures, trials), rate) == pytest.approx(below, rel=1e-6)


def test_evidence_of_improvement_is_the_mixture_it_says() -> None:
    before, after = Counts(4, 6), Counts(1, 9)

    # Jeffreys' prior is flat in the angle whose squared sine is the rate.
    angle = (np.arange(1500) + 0.5) * (math.pi / 2 / 1500)
    p_after, p_before = np.meshgrid(np.sin(angle) ** 2, np.sin(angle) ** 2)
    likelihood = p_before**4 * (1 - p_before) ** 2 * p_after * (1 - p_after) ** 8
    averaged = 2 * float(np.mean(likelihood * ((p_after < p_before) + 0.5 * (p_after == p_before))))
    pooled = 5 / 15
    assert evidence_of_improvement(before, after) == pytest.approx(
        averaged / (pooled**5 * (1 - pooled) ** 10), rel=1e-3
    )


def test_a_worse_or_unchanged_arm_is_no_evidence_of_improvement() -> None:
    assert evidence_of_improvement(Counts(3, 10), Counts(3, 10)) < 1
    assert evidence_of_improvement(Counts(0, 10), Counts(5, 10)) < 0.01
    assert evidence_of_improvement(Counts(0, 0), Counts(0, 0)) <= 1.001


def test_evidence_stays_finite_at_extremes() -> None:
    for value in (
        evidence_below(Counts(0, 100_000), 0.05),
        evidence_above(Counts(5000, 5000), 0.05),
        evidence_of_improvement(Counts(5000, 5000), Counts(0, 5000)),
    ):
        assert math.isfinite(value)
        assert value > 1e9


@pytest.mark.parametrize("rate", [0.05, 0.5])
def test_looking_after_every_trial_calls_a_useless_change_better_in_at_most_one_percent(rate: float) -> None:
    dice = random.Random(20261122)
    table: dict[tuple[int, int, int], bool] = {}
    wrong = 0
    for _ in range(250):
        before = after = 0
        for trials in range(1, 31):
            before += dice.random() < rate
            after += dice.random() < rate
            key = (before, after, trials)
            if key not in table:
                table[key] = evidence_of_improvement(Counts(before, trials), Counts(after, trials)) >= 100
            if table[key]:
                wrong += 1
                break
    assert wrong <= 2


@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_impossible_rates_and_counts_are_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="rate"):
        evidence_below(Counts(1, 2), rate)
    with pytest.raises(ValueError, match="failures in"):
        Counts(3, 2)
