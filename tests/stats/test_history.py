"""The history model against a sum over all hidden paths, and on histories whose truth is known."""

import itertools
import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flakehunter.stats.history import (
    BROKEN,
    FLAKY,
    RATE_WEIGHTS,
    RATES,
    HistoryFit,
    HistoryPrior,
    fit_histories,
)

PRIOR = HistoryPrior(blip=1e-3, breaks=0.02, becomes_flaky=0.03, ceases=0.01)


def fit(*series: list[tuple[int, int]], p_flaky: float = 0.05, prior: HistoryPrior | None = None) -> HistoryFit:
    """Fit series of (failures, executions), each on one branch."""
    length = max(map(len, series))
    bad, executed = (np.zeros((len(series), length), np.int64) for _ in range(2))
    for row, steps in enumerate(series):
        for place, (failures, runs) in enumerate(steps):
            bad[row, place], executed[row, place] = failures, runs
    first = np.zeros(bad.shape, np.bool_)
    first[:, 0] = True
    return fit_histories(bad, executed, first, p_flaky=p_flaky, prior=prior)


def letters(text: str) -> list[tuple[int, int]]:
    """Return the steps of words of P and F, one word a commit."""
    return [(word.count("F"), len(word)) for word in text.split()]


def by_all_paths(
    steps: list[tuple[int, int]], first: list[bool], rate: float | None
) -> tuple[float, list[list[float]]]:
    """Return likelihood and state probabilities by summing over every path of hidden states, straight from the text."""
    p = PRIOR
    healthy, broken = 1.0 - p.broken_at_start, p.broken_at_start
    if rate is None:
        start, elsewhere = [healthy, broken, 0.0], [[healthy, broken, 0.0]] * 3
        moves = [[1 - p.breaks, p.breaks, 0.0], [p.mended, 1 - p.mended, 0.0], [1.0, 0.0, 0.0]]
    else:
        f, s, e = p.becomes_flaky, p.flaky_at_start, p.flaky_elsewhere
        start = [healthy * (1 - s), broken * (1 - s), s]
        other = [healthy * (1 - f), broken * (1 - f), f]
        elsewhere = [other, other, [healthy * (1 - e), broken * (1 - e), e]]
        moves = [
            [(1 - p.breaks) * (1 - f), p.breaks * (1 - f), f],
            [p.mended * (1 - f), (1 - p.mended) * (1 - f), f],
            [p.ceases, p.breaks, 1 - p.ceases - p.breaks],
        ]
    chance = [p.blip, 1 - p.blip, 0.5 if rate is None else rate]
    total, marginal = 0.0, [[0.0] * 3 for _ in steps]
    for path in itertools.product(range(3), repeat=len(steps)):
        likelihood = start[path[0]]
        for place in range(1, len(path)):
            likelihood *= (elsewhere if first[place] else moves)[path[place - 1]][path[place]]
        for state, (failures, runs) in zip(path, steps, strict=True):
            likelihood *= chance[state] ** failures * (1 - chance[state]) ** (runs - failures)
        total += likelihood
        for place, state in enumerate(path):
            marginal[place][state] += likelihood
    return total, [[value / total for value in row] for row in marginal]


steps_strategy = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 3), st.booleans()).map(lambda t: (min(t[0], t[1]), t[1], t[2])),
    min_size=1,
    max_size=5,
)


@settings(max_examples=40)
@given(steps_strategy)
def test_model_agrees_with_the_sum_over_all_paths(cells: list[tuple[int, int, bool]]) -> None:
    steps = [(bad, runs) for bad, runs, _ in cells]
    first = [True, *(begins for _, _, begins in cells[1:])]
    result = fit_histories(
        np.array([[bad for bad, _ in steps]]),
        np.array([[runs for _, runs in steps]]),
        np.array([first]),
        p_flaky=0.3,
        prior=PRIOR,
    )
    plain, plain_states = by_all_paths(steps, first, None)
    each = [by_all_paths(steps, first, rate) for rate in RATES]
    mean = sum(weight * one[0] for weight, one in zip(RATE_WEIGHTS, each, strict=True)) / sum(RATE_WEIGHTS)
    assert result.log_bayes_factor[0] == pytest.approx(math.log(mean / plain), abs=1e-9)
    posterior = 0.3 * mean / (0.3 * mean + 0.7 * plain)
    assert result.p_flaky[0] == pytest.approx(posterior)
    best = RATES.index(result.rate[0])
    assert RATE_WEIGHTS[best] * each[best][0] == pytest.approx(
        max(weight * one[0] for weight, one in zip(RATE_WEIGHTS, each, strict=True))
    )
    expected = (1 - posterior) * np.array(plain_states) + posterior * np.array(each[best][1])
    np.testing.assert_allclose(result.states[0], expected, atol=1e-6)


def step_by_step(
    steps: list[tuple[int, int]], first: list[bool], rate: float | None
) -> tuple[float, npt.NDArray[np.float64]]:
    """Return log-likelihood and state probabilities by forward-backward, one step after the other."""
    p = HistoryPrior()
    start = np.array([1.0 - p.broken_at_start, p.broken_at_start, 0.0])
    moves = np.array([[1.0 - p.breaks, p.breaks, 0.0], [p.mended, 1.0 - p.mended, 0.0], [1.0, 0.0, 0.0]])
    elsewhere = np.array([start] * 3)
    if rate is not None:
        to_flaky = np.array([0.0, 0.0, 1.0])
        moves = moves * (1.0 - p.becomes_flaky) + to_flaky * p.becomes_flaky
        moves[FLAKY] = [p.ceases, p.breaks, 1.0 - p.ceases - p.breaks]
        elsewhere = elsewhere * (1.0 - p.becomes_flaky) + to_flaky * p.becomes_flaky
        elsewhere[FLAKY] = start * (1.0 - p.flaky_elsewhere) + to_flaky * p.flaky_elsewhere
        start = start * (1.0 - p.flaky_at_start) + to_flaky * p.flaky_at_start
    chance = np.array([p.blip, 1.0 - p.blip, 0.5 if rate is None else rate])
    seen = [chance**bad * (1.0 - chance) ** (runs - bad) for bad, runs in steps]
    forward: list[npt.NDArray[np.float64]] = []
    total = 0.0
    for place, likelihood in enumerate(seen):
        state = (forward[-1] @ (elsewhere if first[place] else moves) if place else start) * likelihood
        total += math.log(state.sum())
        forward.append(state / state.sum())
    backward = [np.ones(3)]
    for place in range(len(steps) - 1, 0, -1):
        state = (elsewhere if first[place] else moves) @ (seen[place] * backward[-1])
        backward.append(state / state.sum())
    states = np.array(forward) * np.array(backward[::-1])
    return total, states / states.sum(axis=1, keepdims=True)


def drawn_history(draw: np.random.Generator) -> tuple[list[tuple[int, int]], list[bool]]:
    """Return the steps of some branches: rows of commits that all pass or all fail, and flaky times between them."""
    steps: list[tuple[int, int]] = []
    while len(steps) < 250:
        runs, rate = int(draw.choice([0, 1, 2, 2, 2, 4])), float(draw.choice([0.0, 0.0, 0.005, 0.1, 0.5, 1.0]))
        steps += [(int(draw.binomial(runs, rate)), runs) for _ in range(int(draw.integers(1, 120)))]
    return steps, [place == 0 or bool(draw.random() < 0.005) for place in range(len(steps))]


@pytest.mark.parametrize("seed", range(6))
def test_stretches_at_once_give_what_single_steps_give(seed: int) -> None:
    draw = np.random.default_rng(seed)
    histories = [drawn_history(draw) for _ in range(2)]
    length = max(len(steps) for steps, _ in histories)
    bad, executed = (np.zeros((len(histories), length), np.int64) for _ in range(2))
    first = np.zeros(bad.shape, np.bool_)
    for row, (steps, begins) in enumerate(histories):
        bad[row, : len(steps)], executed[row, : len(steps)] = np.array(steps).T
        first[row, : len(steps)] = begins
    result = fit_histories(bad, executed, first, p_flaky=0.05)
    for row, (steps, begins) in enumerate(histories):
        plain, plain_states = step_by_step(steps, begins, None)
        each = [step_by_step(steps, begins, rate) for rate in RATES]
        joint = np.array([one[0] for one in each]) + np.log(np.array(RATE_WEIGHTS) / sum(RATE_WEIGHTS))
        assert result.log_bayes_factor[row] == pytest.approx(np.logaddexp.reduce(joint) - plain, abs=1e-7)
        assert result.rate[row] == RATES[int(joint.argmax())]
        posterior = result.p_flaky[row]
        expected = (1.0 - posterior) * plain_states + posterior * each[int(joint.argmax())][1]
        np.testing.assert_allclose(result.states[row, : len(steps)], expected, atol=1e-6)


@pytest.mark.parametrize(
    ("history", "low", "high"),
    [
        ("PP " * 100 + "PF " + "PP " * 99, 0.7, 1.0),
        ("P F P P F P P P F P P P P F P P", 0.95, 1.0),
        ("P " * 200 + "F " * 6 + "P " * 194, 0.0, 0.05),
        ("PP " * 20 + "FF " * 6 + "PP " * 20, 0.0, 0.05),
        ("F " * 12, 0.0, 0.15),
        ("P " * 100 + "F " + "P " * 100, 0.0, 0.2),
        ("P " * 400, 0.0, 0.05),
    ],
    ids=["one proof", "flips", "regression", "regression, two runs", "never passed", "one failure", "always passed"],
)
def test_probability_of_flaky(history: str, low: float, high: float) -> None:
    assert low <= fit(letters(history)).p_flaky[0] <= high


def test_states_tell_when_it_was_broken_and_when_flaky() -> None:
    history = "PP " * 10 + "FF " * 5 + "PP " * 10 + "PF FP PP PF PF FF PP PF " + "PP " * 1
    states = fit(letters(history)).states[0]
    assert (states[10:15, BROKEN] > 0.9).all()
    assert (states[25:33, FLAKY] > 0.9).all()


def test_series_do_not_influence_each_other() -> None:
    histories = [letters("PP PF PP FP"), letters("PP FF FF PP PP PP"), letters("P F P F P F P P")]
    together = fit(*histories)
    for row, history in enumerate(histories):
        alone = fit(history)
        assert together.log_bayes_factor[row] == pytest.approx(alone.log_bayes_factor[0])
        np.testing.assert_allclose(together.states[row, : len(history)], alone.states[0], atol=1e-6)


def test_batches_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    histories = [letters("PP PF PP FP"), letters("PP FF FF PP"), letters("P F P F")]
    whole = fit(*histories).log_bayes_factor
    monkeypatch.setattr("flakehunter.stats.history.STEPS_AT_ONCE", 4)
    np.testing.assert_allclose(fit(*histories).log_bayes_factor, whole)


def test_states_do_not_depend_on_how_many_places_are_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    histories = [letters("PP PF PP FP FF FF PP PF"), letters("PP FF FF PP"), letters("P F P F P")]
    whole = fit(*histories).states
    for places in (1, 2, 5):
        monkeypatch.setattr("flakehunter.stats.smoothing.PLACES_AT_ONCE", places)
        np.testing.assert_allclose(fit(*histories).states, whole, atol=1e-6)


def test_many_executions_at_one_step_do_not_underflow() -> None:
    result = fit([(0, 50_000), (20_000, 40_000), (50_000, 50_000)])
    assert np.isfinite(result.log_bayes_factor).all()
    assert result.p_flaky[0] == pytest.approx(1.0)


def test_no_series_gives_empty_arrays() -> None:
    nothing = np.zeros((0, 4), np.int64)
    assert fit_histories(nothing, nothing, nothing.astype(bool), p_flaky=0.1).p_flaky.shape == (0,)


@pytest.mark.parametrize(
    ("bad", "executed", "message"),
    [([[2]], [[1]], "more failures"), ([[1, 0]], [[1]], "shapes differ")],
    ids=["counts", "shapes"],
)
def test_impossible_counts_are_refused(bad: list[list[int]], executed: list[list[int]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fit_histories(np.array(bad), np.array(executed), np.array([[True]]), p_flaky=0.1)
