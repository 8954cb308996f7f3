"""The hidden Markov model of a test's history: healthy, broken, or flaky with some rate; fitted for all tests at once.

A *series* is the history of one test in one kind of job. Its *steps* are commits, oldest first; each step holds how
often the test was executed there and how often it failed. States change only between steps, so different outcomes
at one step can come from the flaky state alone, up to `blip`, and that is what makes them a proof.

Two models are compared for each series. In the plain one there is no flaky state: every failure is a breakage that
lasts one step or more and is then mended. In the other the test may be, become and cease to be flaky with a rate p
that is unknown, and is summed out over a grid. The log of the ratio of the two likelihoods (a Bayes factor, Kass and
Raftery, J. Am. Stat. Assoc. 90 (1995) 773-795) is what the history says for "flaky", and adds to other evidence in
log-odds. The likelihoods come from the scaled forward recursion, the states from forward-backward (Rabiner,
Proc. IEEE 77 (1989) 257-286).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

HEALTHY, BROKEN, FLAKY = 0, 1, 2
"""Places of the states in the last axis of `HistoryFit.states`."""

RATES: tuple[float, ...] = (0.0005, 0.002, 0.005, 0.01, 0.02, 0.035, 0.06, 0.1, 0.17, 0.25, 0.35, 0.5, 0.65, 0.8, 0.9)
"""Failure rates of the flaky state that the sum runs over, about evenly spaced in log-odds."""

RATE_WEIGHTS: tuple[float, ...] = (1.0,) * 12 + (0.5, 0.5, 0.25)
"""Prior weight of each rate: a test that fails nearly always is more often broken than flaky."""

STEPS_AT_ONCE = 1_000_000
"""Series times steps in memory at once; forward-backward holds 12 doubles for each, so this is about 100 MB."""


_ONES = np.ones(3)
"""A product with it is the sum over the states, in a fraction of the time of a sum over so short an axis."""

LEAST_LOG = -600.0
"""Log-likelihoods of a step are at most this far below the largest, so that no product underflows."""


@dataclass(frozen=True, slots=True)
class HistoryPrior:
    """Probabilities that the model starts from; docs/verdicts.md says what they give on simulated histories."""

    broken_at_start: float = 0.05
    """A new test, or the first commit of a branch, fails until somebody mends it."""
    breaks: float = 0.002
    """A change breaks one given test, per step."""
    mended: float = 0.25
    """A broken test is mended, per step: breakages last four steps on average."""
    flaky_at_start: float = 0.5
    """In the model with flakes: the test has been flaky from its first step on."""
    flaky_elsewhere: float = 0.9
    """A test that is flaky on one branch is so on the next."""
    becomes_flaky: float = 0.002
    """In the model with flakes: per step."""
    ceases: float = 0.001
    """A flaky test is fixed, per step."""
    blip: float = 1e-6
    """A healthy test fails once, or a broken one passes once: what is neither outage nor flake."""


@dataclass(frozen=True, slots=True)
class HistoryFit:
    """What the model says of S series of up to T steps."""

    log_bayes_factor: Floats
    """(S,) natural log of the evidence for flakiness; 0 says nothing either way."""
    rate: Floats
    """(S,) the most probable rate of the flaky state, from the grid."""
    states: npt.NDArray[np.float32]
    """(S, T, 3) probability of each state at each step, weighed over both models by `p_flaky`."""
    p_flaky: Floats
    """(S,) posterior probability of the model with flakes under the prior that was given."""


def fit_histories(
    bad: Counts, executed: Counts, first: Flags, *, p_flaky: float, prior: HistoryPrior | None = None
) -> HistoryFit:
    """Fit all series at once.

    Args:
        bad: (S, T) failures at each step.
        executed: (S, T) executions at each step; 0 for a step without any, also as padding at the end.
        first: (S, T) whether the step is the first of a branch; the steps of a branch stand together.
        p_flaky: prior probability that a series is flaky.
        prior: the other probabilities.

    Raises:
        ValueError: shapes differ, or a step has more failures than executions.
    """
    if not bad.shape == executed.shape == first.shape or bad.ndim != 2:
        raise ValueError(f"shapes differ: {bad.shape}, {executed.shape}, {first.shape}")
    if np.any(bad > executed) or np.any(bad < 0):
        raise ValueError("a step has more failures than executions")
    prior = prior or HistoryPrior()
    count, steps = bad.shape
    fits = [
        _fit_some(bad[rows], executed[rows], first[rows], p_flaky, prior)
        for rows in _batches(count, max(1, STEPS_AT_ONCE // max(1, steps)))
    ]
    if not fits:
        empty = np.zeros(0)
        return HistoryFit(empty, empty, np.zeros((0, steps, 3), np.float32), empty)
    return HistoryFit(
        np.concatenate([fit.log_bayes_factor for fit in fits]),
        np.concatenate([fit.rate for fit in fits]),
        np.concatenate([fit.states for fit in fits]),
        np.concatenate([fit.p_flaky for fit in fits]),
    )


def _batches(count: int, size: int) -> list[slice]:
    return [slice(start, min(start + size, count)) for start in range(0, count, size)]


@dataclass(frozen=True, slots=True)
class _Chains:
    """M chains of three states over the same steps."""

    transitions: Floats
    """(M, 3, 3): chain, from, to; between the commits of a branch."""
    branching: Floats
    """(M, 3, 3): from the last commit of one branch to the first of the next."""
    start: Floats
    """(M, 3)"""


@dataclass(frozen=True, slots=True)
class _Emissions:
    """The likelihoods of each different pair of counts, of which there are few, under each of K rates."""

    scaled: Floats
    """(K x U, 3): of each state, divided by the largest."""
    top: Floats
    """(K x U,) the log of the largest."""
    pairs: int
    """U, the number of different pairs of counts."""

    def places(self, rate: Counts, code: Counts) -> Counts:
        """Return the rows for rates and pairs of counts, both by their index."""
        return rate * self.pairs + code


@dataclass(frozen=True, slots=True)
class _Steps:
    """The data of S series, with steps of equal counts told apart by a code: there are few different ones."""

    code: Counts
    """(T, S) index into `bad` and `good`."""
    bad: Floats
    """(U,)"""
    good: Floats
    """(U,)"""
    first: Flags
    """(T, S, 1)"""
    branches: Flags
    """(T,) whether any series begins a branch there."""


def _coded(bad: Counts, executed: Counts, first: Flags) -> _Steps:
    width = int(executed.max(initial=0)) + 1
    pairs, code = np.unique((bad * width + executed).T, return_inverse=True)
    failures, runs = np.divmod(pairs, width)
    begins = np.ascontiguousarray(first.T)
    return _Steps(
        code.reshape(bad.shape[::-1]),
        failures.astype(np.float64),
        (runs - failures).astype(np.float64),
        begins[..., None],
        np.asarray(begins.any(axis=1)),
    )


def _plain(prior: HistoryPrior) -> tuple[Floats, Floats, Floats]:
    """Return transitions, transitions to another branch, and start of the chain without flakes."""
    start = np.array([1.0 - prior.broken_at_start, prior.broken_at_start, 0.0])
    transitions = np.array(
        [[1.0 - prior.breaks, prior.breaks, 0.0], [prior.mended, 1.0 - prior.mended, 0.0], [1.0, 0.0, 0.0]]
    )
    return transitions, np.tile(start, (3, 1)), start


def _with_flakes(prior: HistoryPrior) -> tuple[Floats, Floats, Floats]:
    """Return transitions, transitions to another branch, and start of a chain with flakes."""
    plain, branching, start = _plain(prior)
    to_flaky = np.array([0.0, 0.0, 1.0])
    transitions = plain * (1.0 - prior.becomes_flaky) + to_flaky * prior.becomes_flaky
    transitions[FLAKY] = [prior.ceases, prior.breaks, 1.0 - prior.ceases - prior.breaks]
    # A breakage on one branch says nothing of the next, but a flake is a property of the test and goes along.
    branching = branching * (1.0 - prior.becomes_flaky) + to_flaky * prior.becomes_flaky
    branching[FLAKY] = start * (1.0 - prior.flaky_elsewhere) + to_flaky * prior.flaky_elsewhere
    return transitions, branching, start * (1.0 - prior.flaky_at_start) + to_flaky * prior.flaky_at_start


def _chains(prior: HistoryPrior, flakes: int) -> _Chains:
    """Return the plain chain and, after it, that many chains with flakes."""
    parts = zip(_plain(prior), *[_with_flakes(prior)] * flakes, strict=True)
    transitions, branching, start = (np.stack(part) for part in parts)
    return _Chains(transitions, branching, start)


def _emissions(steps: _Steps, prior: HistoryPrior) -> _Emissions:
    """Return the likelihoods under the plain chain, whose third state is not used, and then under each of the rates."""
    rare, common = np.log(prior.blip), np.log1p(-prior.blip)
    rate = np.array([0.5, *RATES])[:, None]
    flaky = steps.bad * np.log(rate) + steps.good * np.log1p(-rate)
    healthy = np.broadcast_to(steps.bad * rare + steps.good * common, flaky.shape)
    broken = np.broadcast_to(steps.bad * common + steps.good * rare, flaky.shape)
    logs = np.stack([healthy, broken, flaky], axis=-1)
    top = logs.max(axis=-1)
    # A state that is impossible in this chain may have the largest likelihood: the others must not vanish beside it.
    scaled = np.exp(np.maximum(logs - top[..., None], LEAST_LOG))
    return _Emissions(scaled.reshape(-1, 3), top.ravel(), len(steps.bad))


def _fit_some(bad: Counts, executed: Counts, first: Flags, p_flaky: float, prior: HistoryPrior) -> HistoryFit:
    steps = _coded(bad, executed, first)
    emissions = _emissions(steps, prior)
    likelihoods = _likelihoods(steps, emissions, _chains(prior, len(RATES)))
    weights = np.log(np.array(RATE_WEIGHTS) / sum(RATE_WEIGHTS))[:, None]
    joint = likelihoods[1:] + weights
    top = joint.max(axis=0)
    log_bayes = top + np.log(np.exp(joint - top).sum(axis=0)) - likelihoods[0]
    best = joint.argmax(axis=0)
    posterior = 1.0 / (1.0 + np.exp(-np.clip(np.log(p_flaky / (1.0 - p_flaky)) + log_bayes, -700.0, 700.0)))
    # The states need forward-backward, which is run at the most probable rate instead of the whole grid.
    plain, flakes = _smooth(steps, emissions, 1 + best, _chains(prior, 1))
    states = plain * (1.0 - posterior[:, None]) + flakes * posterior[:, None]
    return HistoryFit(log_bayes, np.array(RATES)[best], states.transpose(1, 0, 2).astype(np.float32), posterior)


def _likelihoods(steps: _Steps, emissions: _Emissions, chains: _Chains) -> Floats:
    """Return the log-likelihoods (M, S) of the chains, the m-th of which has the m-th rate."""
    rates = np.arange(len(chains.start))[:, None]
    state = np.repeat(chains.start[:, None, :], steps.code.shape[1], axis=1)
    likelihood = np.zeros(state.shape[:2])
    for step, code in enumerate(steps.code):
        if step:
            state = _moved(state, chains.transitions, chains.branching, steps, step)
        places = emissions.places(rates, code)
        state *= emissions.scaled.take(places, axis=0)
        total = state @ _ONES
        state /= total[..., None]
        likelihood += np.log(total)
        likelihood += emissions.top.take(places)
    return likelihood


def _moved(state: Floats, transitions: Floats, branching: Floats, steps: _Steps, step: int) -> Floats:
    """Return the states (M, S, 3) after the move between a step and the one before it."""
    moved = state @ transitions
    return np.where(steps.first[step], state @ branching, moved) if steps.branches[step] else moved


def _smooth(steps: _Steps, emissions: _Emissions, rate: Counts, chains: _Chains) -> tuple[Floats, Floats]:
    """Return the probability of each state at each step given the whole series, (T, S, 3) for each of two chains.

    The second of them has the rate of each series, (S,) by its index.
    """
    length = len(steps.code)
    rates = np.stack([np.zeros_like(rate), rate])
    likelihoods = emissions.scaled.take(emissions.places(rates, steps.code[:, None, :]), axis=0)
    smoothed = np.empty_like(likelihoods)
    state = np.repeat(chains.start[:, None, :], len(rate), axis=1)
    for step in range(length):
        if step:
            state = _moved(state, chains.transitions, chains.branching, steps, step)
        state *= likelihoods[step]
        state /= (state @ _ONES)[..., None]
        smoothed[step] = state
    transitions, branching = (moves.swapaxes(1, 2).copy() for moves in (chains.transitions, chains.branching))
    backward = np.ones_like(state)
    for step in range(length - 1, -1, -1):
        smoothed[step] *= backward
        backward = _moved(likelihoods[step] * backward, transitions, branching, steps, step)
        backward /= backward.max(axis=-1, keepdims=True)
    smoothed /= (smoothed @ _ONES)[..., None]
    return smoothed[:, 0], smoothed[:, 1]
