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

Most steps are the same as the one before: passed, as always. A *stretch* is a row of steps with equal counts on one
branch; the recursions take it in one go by a power of the matrix of its step, which gives the same numbers to the last
digits. What a test of a thousand commits costs are the few stretches of its history.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from flakehunter.stats.smoothing import smooth
from flakehunter.stats.stretches import (
    Chains,
    Counts,
    Emissions,
    Flags,
    Floats,
    Stretches,
    apart,
    moved,
    one_step,
    powers,
    stretches_of,
)

HEALTHY, BROKEN, FLAKY = 0, 1, 2
"""Places of the states in the last axis of `HistoryFit.states`."""

RATES: tuple[float, ...] = (0.0005, 0.002, 0.005, 0.01, 0.02, 0.035, 0.06, 0.1, 0.17, 0.25, 0.35, 0.5, 0.65, 0.8, 0.9)
"""Failure rates of the flaky state that the sum runs over, about evenly spaced in log-odds."""

RATE_WEIGHTS: tuple[float, ...] = (1.0,) * 12 + (0.5, 0.5, 0.25)
"""Prior weight of each rate: a test that fails nearly always is more often broken than flaky."""

STEPS_AT_ONCE = 2_000_000
"""Series times steps in memory at once, at up to some 200 bytes each."""

CERTAIN = 1e-9
"""From this posterior probability of one of the two models on, the states of the other count for nothing."""

LEAST_LOG = -600.0
"""Log-likelihoods of a step are at most this far below the largest, so that no product underflows."""

PLAIN = 0
"""Place of the chain without flakes; those with flakes follow, one for each of `RATES`."""


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
    if len(fits) == 1:
        return fits[0]
    return HistoryFit(
        np.concatenate([fit.log_bayes_factor for fit in fits]),
        np.concatenate([fit.rate for fit in fits]),
        np.concatenate([fit.states for fit in fits]),
        np.concatenate([fit.p_flaky for fit in fits]),
    )


def _batches(count: int, size: int) -> list[slice]:
    return [slice(start, min(start + size, count)) for start in range(0, count, size)]


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


def _chains(prior: HistoryPrior) -> Chains:
    parts = zip(_plain(prior), *[_with_flakes(prior)] * len(RATES), strict=True)
    transitions, branching, start = (np.stack(part) for part in parts)
    return Chains(transitions, branching, start)


def _emissions(stretches: Stretches, prior: HistoryPrior) -> Emissions:
    bad, good = stretches.bad[:, None], stretches.good[:, None]
    rare, common = np.log(prior.blip), np.log1p(-prior.blip)
    rate = np.array([0.5, *RATES])
    flaky = bad * np.log(rate) + good * np.log1p(-rate)
    # The plain chain has no flaky state: its likelihood must not be the largest, beside which the others vanish.
    flaky[:, PLAIN] = -np.inf
    healthy = np.broadcast_to(bad * rare + good * common, flaky.shape)
    broken = np.broadcast_to(bad * common + good * rare, flaky.shape)
    logs = np.stack([healthy, broken, flaky], axis=-1)
    top = logs.max(axis=-1)
    return Emissions(np.exp(np.maximum(logs - top[..., None], LEAST_LOG)), top)


def _fit_some(bad: Counts, executed: Counts, first: Flags, p_flaky: float, prior: HistoryPrior) -> HistoryFit:
    stretches = stretches_of(bad, executed, first)
    chains, emissions = _chains(prior), _emissions(stretches, prior)
    likelihoods = _likelihoods(stretches, chains, emissions)
    weights = np.log(np.array(RATE_WEIGHTS) / sum(RATE_WEIGHTS))
    joint = likelihoods[:, PLAIN + 1 :] + weights
    top = joint.max(axis=1)
    log_bayes = top + np.log(np.exp(joint - top[:, None]).sum(axis=1)) - likelihoods[:, PLAIN]
    best = joint.argmax(axis=1)
    posterior = 1.0 / (1.0 + np.exp(-np.clip(np.log(p_flaky / (1.0 - p_flaky)) + log_bayes, -700.0, 700.0)))
    # The states need forward-backward, which is run at the most probable rate instead of the whole grid.
    states = np.zeros((3, *bad.shape), np.float32)
    weight = np.stack([1.0 - posterior, posterior], axis=1)
    wanted, model = np.nonzero(weight > CERTAIN)
    chain = np.where(model == 0, PLAIN, PLAIN + 1 + best[wanted])
    smoothed = smooth(stretches, chains, emissions, wanted, chain, weight[wanted, model])
    for one in (0, 1):
        states[:, stretches.order[wanted[model == one]]] += smoothed[:, model == one]
    back = np.argsort(stretches.order)
    return HistoryFit(log_bayes[back], np.array(RATES)[best[back]], np.moveaxis(states, 0, -1), posterior[back])


def _likelihoods(stretches: Stretches, chains: Chains, emissions: Emissions) -> Floats:
    """Return the log-likelihoods (S, C) of the chains."""
    whole, logs = powers(one_step(chains, emissions), stretches.code, stretches.length - 1)
    whole *= emissions.scaled[stretches.code][..., None]
    logs += emissions.top[stretches.code] * stretches.length[:, None]
    # What leads into a stretch is the start, a move between commits, or one to another branch.
    into = apart(np.concatenate([chains.transitions @ whole, chains.branching @ whole]))
    state = np.moveaxis((chains.start[:, None, :] @ whole)[:, :, 0][stretches.pair[0]], -1, 0)
    likelihood = np.zeros(state.shape[1:])
    for place, many in enumerate(stretches.many.tolist()):
        pair = stretches.pair[place, :many]
        if place:
            state = moved(state[:, :many], into.take(pair + len(whole) * stretches.branch[place, :many], axis=2))
        total = state[0] + state[1] + state[2]
        state = state / total
        likelihood[:many] += np.log(total) + logs.take(pair, axis=0)
    return likelihood
