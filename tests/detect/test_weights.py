"""The weights of the evidence, and how they are learnt."""

import numpy as np
import pytest

from benchmarks.detect_reliability import Cases, diagram, learn
from flakehunter.detect.weights import weights


def test_weights_are_read_from_the_data_file() -> None:
    read = weights()
    assert 0.0 < read.prior_flaky < 0.5
    assert read.history > 0.0
    assert 0.0 < read.unproven < 0.5
    assert 0.0 < read.load <= read.text < read.reproduced


def drawn(prior: float, weight: float, count: int = 20_000) -> Cases:
    """Return cases whose truth is drawn with these weights."""
    random = np.random.default_rng(3)
    log_bayes = random.normal(0.0, 4.0, count)
    told = 1.0 / (1.0 + np.exp(-(np.log(prior / (1.0 - prior)) + weight * log_bayes)))
    proven = random.random(count) < 0.5
    told = np.where(proven, told, np.minimum(told, UNPROVEN))
    return Cases(log_bayes, told, random.random(count) < told, proven)


UNPROVEN = 0.3


@pytest.mark.parametrize(("prior", "weight"), [(0.05, 1.0), (0.2, 0.6)])
def test_weights_that_made_the_truth_are_learnt(prior: float, weight: float) -> None:
    learnt = learn(drawn(prior, weight))
    assert (learnt.prior_flaky, learnt.history) == pytest.approx((prior, weight), rel=0.15)
    assert learnt.unproven == pytest.approx(UNPROVEN, abs=0.03)


def test_separable_cases_give_finite_weights() -> None:
    flaky = np.array([False] * 50 + [True] * 50)
    learnt = learn(Cases(np.where(flaky, 15.0, -15.0), np.zeros(100), flaky, flaky))
    assert 0.0 < learnt.prior_flaky < 1.0
    assert 0.0 < learnt.history < 10.0


def test_diagram_of_calibrated_cases_is_a_diagonal() -> None:
    for row in diagram(drawn(0.1, 1.0))[2:]:
        _, told, real = row.strip("| ").split(" | ")[1:]
        assert float(real.split()[0]) == pytest.approx(float(told), abs=0.05)
