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
    """(3, 3, M): from, to, chain; between the commits of a branch."""
    branching: Floats
    """(3, 3, M): from the last commit of one branch to the first of the next."""
    start: Floats
    """(3, M)"""
    rate: Floats
    """(M,) failure rate of the flaky state, or (M, S) with one for each series."""


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
    """(T, S)"""


def _coded(bad: Counts, executed: Counts, first: Flags) -> _Steps:
    width = int(executed.max(initial=0)) + 1
    pairs, code = np.unique((bad * width + executed).T, return_inverse=True)
    failures, runs = np.divmod(pairs, width)
    return _Steps(
        code.reshape(bad.shape[::-1]),
        failures.astype(np.float64),
        (runs - failures).astype(np.float64),
        np.ascontiguousarray(first.T),
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


def _chains(prior: HistoryPrior, flaky_rates: Floats) -> _Chains:
    """Return the plain chain and, after it, one chain with flakes for each of the rates (G,) or (G, S)."""
    flakes = [_with_flakes(prior)] * len(flaky_rates)
    transitions, branching, start = zip(_plain(prior), *flakes, strict=True)
    return _Chains(
        np.stack(transitions, axis=-1),
        np.stack(branching, axis=-1),
        np.stack(start, axis=-1),
        np.concatenate([np.full_like(flaky_rates[:1], 0.5), flaky_rates]),
    )


def _fit_some(bad: Counts, executed: Counts, first: Flags, p_flaky: float, prior: HistoryPrior) -> HistoryFit:
    steps = _coded(bad, executed, first)
    likelihoods, _ = _forward(steps, _chains(prior, np.array(RATES)), prior)
    weights = np.log(np.array(RATE_WEIGHTS) / sum(RATE_WEIGHTS))[:, None]
    joint = likelihoods[1:] + weights
    top = joint.max(axis=0)
    log_bayes = top + np.log(np.exp(joint - top).sum(axis=0)) - likelihoods[0]
    best = np.array(RATES)[joint.argmax(axis=0)]
    posterior = 1.0 / (1.0 + np.exp(-np.clip(np.log(p_flaky / (1.0 - p_flaky)) + log_bayes, -700.0, 700.0)))
    # The states need forward-backward, which is run at the most probable rate instead of the whole grid.
    plain, flakes = _smooth(steps, _chains(prior, best[None, :]), prior)
    states = plain * (1.0 - posterior) + flakes * posterior
    return HistoryFit(log_bayes, best, states.transpose(2, 1, 0).astype(np.float32), posterior)


def _emissions(steps: _Steps, step: int, chains: _Chains, prior: HistoryPrior) -> tuple[Floats, Floats]:
    """Return the likelihoods of one step (3, M, S), each divided by the largest, and the log of that (M, S)."""
    rare, common = np.log(prior.blip), np.log1p(-prior.blip)
    code = steps.code[step]
    if chains.rate.ndim == 1:
        # The table has one column for each different pair of counts, which is far fewer than series.
        bad, good, rate = steps.bad, steps.good, chains.rate[:, None]
    else:
        bad, good, rate = steps.bad[code], steps.good[code], chains.rate
    flaky = bad * np.log(rate) + good * np.log1p(-rate)
    logs = np.stack(
        [
            np.broadcast_to(bad * rare + good * common, flaky.shape),
            np.broadcast_to(bad * common + good * rare, flaky.shape),
            flaky,
        ]
    )
    top = logs.max(axis=0)
    # A state that is impossible in this chain may have the largest likelihood: the others must not vanish beside it.
    scaled = np.exp(np.maximum(logs - top, LEAST_LOG))
    return (scaled[..., code], top[..., code]) if chains.rate.ndim == 1 else (scaled, top)


def _forward(steps: _Steps, chains: _Chains, prior: HistoryPrior, *, keep: bool = False) -> tuple[Floats, list[Floats]]:
    """Return the log-likelihoods (M, S) and, with `keep`, the filtered states of each step, T times (3, M, S)."""
    length, count = steps.code.shape
    state = np.repeat(chains.start[:, :, None], count, axis=-1)
    likelihood = np.zeros(state.shape[1:])
    kept: list[Floats] = []
    for step in range(length):
        if step:
            moved = _move(state, chains.transitions)
            branches = steps.first[step]
            state = np.where(branches, _move(state, chains.branching), moved) if branches.any() else moved
        emission, scale = _emissions(steps, step, chains, prior)
        state = state * emission
        total = state.sum(axis=0)
        state /= total
        likelihood += np.log(total) + scale
        if keep:
            kept.append(state)
    return likelihood, kept


def _move(state: Floats, moves: Floats) -> Floats:
    """Return the states (3, M, S) after one move by (3, 3, M)."""
    healthy, broken, flaky = state
    each = moves[..., None]
    return np.stack([healthy * each[0, to] + broken * each[1, to] + flaky * each[2, to] for to in range(3)])


def _smooth(steps: _Steps, chains: _Chains, prior: HistoryPrior) -> tuple[Floats, Floats]:
    """Return the probability of each state at each step given the whole series, (3, T, S) for each of two chains."""
    length, count = steps.code.shape
    _, filtered = _forward(steps, chains, prior, keep=True)
    smoothed = np.empty((2, 3, length, count))
    backward = np.ones((3, 2, count))
    for step in range(length - 1, -1, -1):
        joint = filtered[step] * backward
        smoothed[:, :, step] = (joint / joint.sum(axis=0)).transpose(1, 0, 2)
        emission, _ = _emissions(steps, step, chains, prior)
        message = emission * backward
        backward = _move(message, chains.transitions.swapaxes(0, 1))
        branches = steps.first[step]
        if branches.any():
            backward = np.where(branches, _move(message, chains.branching.swapaxes(0, 1)), backward)
        backward /= backward.max(axis=0)
    return smoothed[0], smoothed[1]
