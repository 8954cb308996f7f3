"""Intervals for rates, against scipy and published values."""

import pytest
import scipy
from hypothesis import given
from hypothesis import strategies as st

from flakehunter.stats.intervals import beta_quantile, clopper_pearson, jeffreys, trials_for_upper_bound, wilson

COUNTS = st.integers(0, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
CONFIDENCE = st.floats(0.5, 0.999)


@given(counts=COUNTS, confidence=CONFIDENCE)
def test_exact_and_wilson_agree_with_scipy(counts: tuple[int, int], confidence: float) -> None:
    failures, trials = counts
    if trials == 0:
        return
    oracle = scipy.stats.binomtest(failures, trials)
    for ours, method in ((clopper_pearson, "exact"), (wilson, "wilson")):
        expected = oracle.proportion_ci(confidence, method)
        got = ours(failures, trials, confidence=confidence)
        assert got.low == pytest.approx(expected.low, abs=1e-9)
        assert got.high == pytest.approx(expected.high, abs=1e-9)
        assert got.value == pytest.approx(failures / trials)


@given(counts=COUNTS, confidence=CONFIDENCE)
def test_every_interval_holds_the_observed_rate_and_lies_in_zero_to_one(
    counts: tuple[int, int], confidence: float
) -> None:
    for ours in (clopper_pearson, wilson, jeffreys):
        got = ours(*counts, confidence=confidence)
        assert 0.0 <= got.low <= got.value <= got.high <= 1.0


@given(
    probability=st.floats(1e-6, 1.0 - 1e-6),
    a=st.floats(0.5, 1e5),
    b=st.floats(0.5, 1e5),
)
def test_beta_quantile_agrees_with_scipy(probability: float, a: float, b: float) -> None:
    assert beta_quantile(probability, a, b) == pytest.approx(scipy.stats.beta.ppf(probability, a, b), rel=1e-9)


@pytest.mark.parametrize("parameters", [(0.0, 1.0, 1.0), (1.0, 1.0, 1.0), (0.5, 0.0, 1.0), (0.5, 1.0, -1.0)])
def test_impossible_quantile_is_refused(parameters: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="no quantile"):
        beta_quantile(*parameters)


def test_jeffreys_is_the_equal_tailed_beta_interval() -> None:
    got = jeffreys(7, 30)
    assert got.low == pytest.approx(scipy.stats.beta.ppf(0.025, 7.5, 23.5))
    assert got.high == pytest.approx(scipy.stats.beta.ppf(0.975, 7.5, 23.5))
    assert (jeffreys(0, 30).low, jeffreys(30, 30).high) == (0.0, 1.0)


def test_no_trials_say_nothing() -> None:
    for ours in (clopper_pearson, wilson, jeffreys):
        assert (ours(0, 0).low, ours(0, 0).high) == (0.0, 1.0)


def test_exact_interval_covers_at_least_as_often_as_it_says() -> None:
    for rate in (0.01, 0.05, 0.3, 0.5, 0.97):
        for trials in (5, 30, 72):
            covered = sum(
                scipy.stats.binom.pmf(failures, trials, rate)
                for failures in range(trials + 1)
                if clopper_pearson(failures, trials).low <= rate <= clopper_pearson(failures, trials).high
            )
            assert covered >= 0.95


@pytest.mark.parametrize(("max_rate", "confidence", "trials"), [(0.05, 0.95, 72), (0.05, 0.9, 59), (0.01, 0.95, 368)])
def test_trials_without_failure_for_an_upper_bound(max_rate: float, confidence: float, trials: int) -> None:
    assert trials_for_upper_bound(max_rate, confidence=confidence) == trials
    assert clopper_pearson(0, trials, confidence=confidence).high <= max_rate
    assert clopper_pearson(0, trials - 1, confidence=confidence).high > max_rate


@pytest.mark.parametrize("counts", [(-1, 3), (4, 3), (1, 0)])
def test_impossible_counts_are_refused(counts: tuple[int, int]) -> None:
    for ours in (clopper_pearson, wilson, jeffreys):
        with pytest.raises(ValueError, match="failures in"):
            ours(*counts)


@pytest.mark.parametrize("confidence", [0.0, 1.0, 95.0])
def test_impossible_confidence_is_refused(confidence: float) -> None:
    with pytest.raises(ValueError, match="confidence"):
        clopper_pearson(1, 2, confidence=confidence)
    with pytest.raises(ValueError, match="max_rate"):
        trials_for_upper_bound(1.5)
