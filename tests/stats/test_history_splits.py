"""Change points, exact and rank tests against scipy, and false discovery rates."""

import numpy as np
import pytest
import scipy  # its parts are imported when they are first asked for: not by every worker that collects
from hypothesis import given, settings
from hypothesis import strategies as st

from flakehunter.stats.changepoint import onset
from flakehunter.stats.splits import fisher_greater, q_values, rank_greater

pairs = st.integers(0, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@settings(max_examples=60)
@given(pairs, pairs)
def test_fisher_agrees_with_scipy(first: tuple[int, int], second: tuple[int, int]) -> None:
    (a, m), (b, n) = first, second
    expected = scipy.stats.fisher_exact([[a, m - a], [b, n - b]], alternative="greater").pvalue
    assert fisher_greater(a, m, b, n) == pytest.approx(expected, abs=1e-9)


@settings(max_examples=60)
@given(st.lists(st.integers(0, 12), min_size=2, max_size=30), st.lists(st.integers(0, 12), min_size=2, max_size=30))
def test_rank_test_agrees_with_scipy(first: list[int], second: list[int]) -> None:
    one, two = np.array(first, float), np.array(second, float)
    if len(set(first + second)) == 1:
        assert rank_greater(one, two) == 1.0
        return
    expected = scipy.stats.mannwhitneyu(one, two, alternative="greater", method="asymptotic").pvalue
    assert rank_greater(one, two) == pytest.approx(expected, abs=1e-9)


@settings(max_examples=60)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_q_values_agree_with_scipy(p_values: list[float]) -> None:
    np.testing.assert_allclose(q_values(p_values), scipy.stats.false_discovery_control(p_values), atol=1e-12)


def test_onset_is_found_within_its_range() -> None:
    random = np.random.default_rng(5)
    inside = 0
    for _ in range(40):
        executed = np.full(200, 2)
        bad = np.concatenate([np.zeros(120, np.int64), random.binomial(2, 0.3, 80)])
        found = onset(bad, executed)
        assert found.probability > 0.99
        assert found.high - found.low < 25
        inside += found.low <= 120 <= found.high
    assert inside >= 34


def test_flaky_from_the_start_is_no_change() -> None:
    random = np.random.default_rng(6)
    probabilities = [onset(random.binomial(2, 0.1, 200), np.full(200, 2)).probability for _ in range(40)]
    assert np.median(probabilities) < 0.2


def test_onset_agrees_with_direct_integration() -> None:
    bad, executed = np.array([0, 0, 1, 2]), np.array([2, 3, 2, 2])
    grid = (np.arange(20_000) + 0.5) / 20_000

    def marginal(part: slice, prior: tuple[float, float]) -> float:
        k, n = bad[part].sum(), executed[part].sum()
        return float((scipy.stats.beta(*prior).pdf(grid) * grid**k * (1 - grid) ** (n - k)).mean())

    changes = [marginal(slice(0, t), (0.5, 20.0)) * marginal(slice(t, 4), (0.5, 0.5)) for t in (1, 2, 3)]
    steady = marginal(slice(0, 4), (0.5, 0.5))
    found = onset(bad, executed)
    assert found.step == 1 + int(np.argmax(changes))
    expected = np.mean(changes) / (np.mean(changes) + steady)
    assert found.probability == pytest.approx(expected, rel=0.02)


def test_one_step_has_no_change_and_wrong_shapes_are_refused() -> None:
    assert onset(np.array([1]), np.array([2])).probability == 0.0
    with pytest.raises(ValueError, match="shapes differ"):
        onset(np.array([1, 2]), np.array([2]))
    with pytest.raises(ValueError, match="against"):
        fisher_greater(3, 2, 0, 0)
