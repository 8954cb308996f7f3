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

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

HEALTHY, BROKEN, FLAKY = 0, 1, 2
"""Places of the states in the last axis of `HistoryFit.states`."""

RATES: tuple[float, ...] = (0.0005, 0.002, 0.005, 0.01, 0.02, 0.035, 0.06, 0.1, 0.17, 0.25, 0.35, 0.5, 0.65, 0.8, 0.9)
"""Failure rates of the flaky state that the sum runs over, about evenly spaced in log-odds."""

RATE_WEIGHTS: tuple[float, ...] = (1.0,) * 12 + (0.5, 0.5, 0.25)
"""Prior weight of each rate: a test that fails nearly always is more often broken than flaky."""

STEPS_AT_ONCE = 2_000_000
"""Series times steps in memory at once, at up to some 200 bytes each."""

PLACES_AT_ONCE = 16_384
"""Steps whose matrices are in memory at once: 72 bytes each, which stays in the processor's cache."""

FORGOTTEN = 1e-14
"""Share of what a chain knew at one end of a stretch, below which it has forgotten it."""

DIRECT_CODES = 1_000_000
"""Different pairs of counts that are possible, up to which they are found without sorting all steps."""

CERTAIN = 1e-9
"""From this posterior probability of one of the two models on, the states of the other count for nothing."""

_ONES = np.ones(3)
"""A product with it is the sum over the states, in a fraction of the time of a sum over so short an axis."""

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
    """C chains of three states: the plain one, and one for each rate."""

    transitions: Floats
    """(C, 3, 3): chain, from, to; between the commits of a branch."""
    branching: Floats
    """(C, 3, 3): from the last commit of one branch to the first of the next."""
    start: Floats
    """(C, 3)"""


@dataclass(frozen=True, slots=True)
class _Stretches:
    """S series as stretches, those with the most stretches first; J is the largest number of them."""

    order: Counts
    """(S,) place of each series in the arrays that were given."""
    many: Counts
    """(J,) how many of the series have a stretch there."""
    pair: Counts
    """(J, S) index into `code` and `length`: there are few different ones."""
    branch: Flags
    """(J, S) whether the stretch begins a branch."""
    code: Counts
    """(U,) index into `bad` and `good`."""
    length: Counts
    """(U,) steps, 1 or more."""
    bad: Floats
    """(D,) failures at a step."""
    good: Floats
    """(D,)"""
    number: Counts
    """(S,) stretches of each series."""


@dataclass(frozen=True, slots=True)
class _Emissions:
    """The likelihoods of D different pairs of counts under each of C chains."""

    scaled: Floats
    """(D, C, 3): of each state, divided by the largest of the states that the chain has."""
    top: Floats
    """(D, C) the log of the largest."""


def _stretches(bad: Counts, executed: Counts, first: Flags) -> _Stretches:
    series, steps = bad.shape
    width = int(executed.max(initial=0)) + 1
    counts, code = _distinct(bad * width + executed, width * width)
    begins = first.copy()
    begins[:, 0] = True
    begins[:, 1:] |= code[:, 1:] != code[:, :-1]
    number = begins.sum(axis=1)
    order = np.argsort(-number, kind="stable")
    begins, code, number = begins[order], code[order], number[order]
    row, step = np.nonzero(begins)
    end = np.append(step[1:], 0)
    length = np.where(np.append(row[1:], -1) == row, end, steps) - step
    # A number for code and length together, of which np.unique finds the different ones.
    pairs, pair = np.unique(code[row, step] * (steps + 1) + length, return_inverse=True)
    place = np.arange(len(row)) - (np.cumsum(number) - number)[row]
    padded = np.zeros((int(number.max(initial=0)), series), np.int64)
    padded[place, row] = pair.ravel()
    branch = np.zeros(padded.shape, np.bool_)
    branch[place, row] = first[order][row, step]
    failures, runs = np.divmod(counts, width)
    return _Stretches(
        order=order,
        many=np.bincount(place),
        pair=padded,
        branch=branch,
        code=pairs // (steps + 1),
        length=pairs % (steps + 1),
        bad=failures.astype(np.float64),
        good=(runs - failures).astype(np.float64),
        number=number,
    )


def _distinct(values: Counts, limit: int) -> tuple[Counts, Counts]:
    """Return the different values, all of them below `limit`, in ascending order, and the place of each among them."""
    if limit > DIRECT_CODES:
        found, place = np.unique(values, return_inverse=True)
        return found, place.reshape(values.shape)
    there = np.bincount(values.ravel(), minlength=limit) > 0
    return np.flatnonzero(there), (np.cumsum(there) - 1)[values]


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


def _chains(prior: HistoryPrior) -> _Chains:
    parts = zip(_plain(prior), *[_with_flakes(prior)] * len(RATES), strict=True)
    transitions, branching, start = (np.stack(part) for part in parts)
    return _Chains(transitions, branching, start)


def _emissions(stretches: _Stretches, prior: HistoryPrior) -> _Emissions:
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
    return _Emissions(np.exp(np.maximum(logs - top[..., None], LEAST_LOG)), top)


def _fit_some(bad: Counts, executed: Counts, first: Flags, p_flaky: float, prior: HistoryPrior) -> HistoryFit:
    stretches = _stretches(bad, executed, first)
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
    smoothed = _smooth(stretches, chains, emissions, wanted, np.where(model == 0, PLAIN, PLAIN + 1 + best[wanted]))
    smoothed *= weight[wanted, model, None]
    for one in (0, 1):
        states[:, stretches.order[wanted[model == one]]] += smoothed[:, model == one]
    back = np.argsort(stretches.order)
    return HistoryFit(log_bayes[back], np.array(RATES)[best[back]], np.moveaxis(states, 0, -1), posterior[back])


def _one_step(chains: _Chains, emissions: _Emissions) -> Floats:
    """Return the matrices (D, C, 3, 3) of a move between two commits and the likelihoods at the second."""
    return chains.transitions * emissions.scaled[:, :, None, :]


def _powers(matrices: Floats, which: Counts, exponents: Counts) -> tuple[Floats, Floats]:
    """Return powers of matrices, divided by their largest element, and the logs of what they were divided by.

    Args:
        matrices: (B, ..., 3, 3) without negative elements.
        which: (N,) index of the matrix of each power.
        exponents: (N,) 0 or more.
    """
    shape = matrices.shape[1:]
    powers = np.broadcast_to(np.eye(3), (len(which), *shape)).copy()
    logs = np.zeros((len(which), *shape[:-2]))
    base, base_log = matrices, np.zeros(matrices.shape[:-2])
    bits = exponents.copy()
    while bits.any():
        odd = np.flatnonzero(bits & 1)
        if len(odd):
            product, scale = _scaled(powers[odd] @ base[which[odd]])
            powers[odd] = product
            logs[odd] += base_log[which[odd]] + scale
        bits >>= 1
        base, scale = _scaled(base @ base)
        base_log = 2.0 * base_log + scale
    return powers, logs


def _scaled(matrices: Floats) -> tuple[Floats, Floats]:
    largest = matrices.max(axis=(-2, -1), keepdims=True)
    return matrices / largest, np.log(largest[..., 0, 0])


def _likelihoods(stretches: _Stretches, chains: _Chains, emissions: _Emissions) -> Floats:
    """Return the log-likelihoods (S, C) of the chains."""
    whole, logs = _powers(_one_step(chains, emissions), stretches.code, stretches.length - 1)
    whole *= emissions.scaled[stretches.code][..., None]
    logs += emissions.top[stretches.code] * stretches.length[:, None]
    # What leads into a stretch is the start, a move between commits, or one to another branch.
    into = _apart(np.concatenate([chains.transitions @ whole, chains.branching @ whole]))
    state = np.moveaxis((chains.start[:, None, :] @ whole)[:, :, 0][stretches.pair[0]], -1, 0)
    likelihood = np.zeros(state.shape[1:])
    for place, many in enumerate(stretches.many.tolist()):
        pair = stretches.pair[place, :many]
        if place:
            state = _moved(state[:, :many], into.take(pair + len(whole) * stretches.branch[place, :many], axis=2))
        total = state[0] + state[1] + state[2]
        state = state / total
        likelihood[:many] += np.log(total) + logs.take(pair, axis=0)
    return likelihood


def _apart(matrices: Floats) -> Floats:
    """Return matrices (..., 3, 3) as (3, 3, ...): the loops of NumPy are quick over the last axis, if it is long."""
    return np.ascontiguousarray(np.moveaxis(matrices, (-2, -1), (0, 1)))


def _moved(states: Floats, moves: Floats) -> Floats:
    """Return row vectors (3, ...) times matrices (3, 3, ...)."""
    moved: Floats = states[0] * moves[0]
    moved += states[1] * moves[1]
    moved += states[2] * moves[2]
    return moved


def _smooth(stretches: _Stretches, chains: _Chains, emissions: _Emissions, wanted: Counts, chain: Counts) -> Floats:
    """Return the probability (3, W, T) of each state at each step given the whole series.

    Args:
        stretches: all series.
        chains: all chains.
        emissions: those of all chains.
        wanted: (W,) the series, in ascending order.
        chain: (W,) the chain of each of them.
    """
    used, chain_of = np.unique(chain, return_inverse=True)
    chosen = _Chains(chains.transitions[used], chains.branching[used], chains.start[used])
    seen = _Emissions(emissions.scaled[:, used], emissions.top[:, used])
    begins, ends = _at_stretches(stretches, chosen, seen, wanted, chain_of)
    return _within(stretches, _one_step(chosen, seen), begins, ends, wanted, chain_of)


def _at_stretches(
    stretches: _Stretches, chains: _Chains, emissions: _Emissions, wanted: Counts, chain: Counts
) -> tuple[Floats, Floats]:
    """Return what the steps up to its first say of each stretch, and what those after its last say: (3, J, W) each."""
    many = np.searchsorted(wanted, stretches.many).tolist()
    pair, branch = stretches.pair[:, wanted], stretches.branch[:, wanted].astype(np.int64)
    rest = _apart(_powers(_one_step(chains, emissions), stretches.code, stretches.length - 1)[0])
    seen = np.moveaxis(emissions.scaled[stretches.code], -1, 0).copy()
    lead = _apart(np.stack([chains.transitions, chains.branching]))
    begins, ends = (np.ones((3, len(many), len(wanted))) for _ in range(2))
    state = chains.start[chain].T
    for place, count in enumerate(many):
        now = pair[place, :count], chain[:count]
        if place:
            state = _moved(state[:, :count], lead[:, :, branch[place, :count], chain[:count]])
        state = state[:, :count] * seen[:, *now]
        state /= state[0] + state[1] + state[2]
        begins[:, place, :count] = state
        state = _moved(state, rest[:, :, *now])
    lead, rest = lead.swapaxes(0, 1), rest.swapaxes(0, 1)
    for place in range(len(many) - 1, 0, -1):
        count = many[place]
        now = pair[place, :count], chain[:count]
        state = _moved(ends[:, place, :count], rest[:, :, *now]) * seen[:, *now]
        state = _moved(state, lead[:, :, branch[place, :count], chain[:count]])
        ends[:, place - 1, :count] = state / (state[0] + state[1] + state[2])
    return begins, ends


def _within(stretches: _Stretches, step: Floats, begins: Floats, ends: Floats, wanted: Counts, chain: Counts) -> Floats:
    """Return the probability (3, W, T) of each state at each step, from both ends of its stretch."""
    number = stretches.number[wanted]
    row = np.repeat(np.arange(len(wanted)), number)
    place = np.arange(len(row)) - np.repeat(np.cumsum(number) - number, number)
    pair = stretches.pair[place, wanted[row]]
    length = stretches.length[pair]
    matrix = stretches.code[pair] * step.shape[1] + chain[row]
    # Far from both ends all steps have the same probabilities: one stands for all of them.
    memory = _memory(step.reshape(-1, 3, 3), int(length.max()))
    middle = memory[matrix]
    short = np.minimum(length, 2 * middle + 1)
    # The powers of each matrix that is used, as far as it remembers, one after the other.
    longest = np.zeros(len(memory), np.int64)
    np.maximum.at(longest, matrix, np.minimum(length, middle + 1))
    table_at = np.cumsum(longest) - longest
    which = np.repeat(np.arange(len(longest)), longest)
    table = _apart(_powers(step.reshape(-1, 3, 3), which, np.arange(len(which)) - table_at[which])[0])
    first, last = begins[:, place, row], ends[:, place, row]
    of_step = np.repeat(np.arange(len(row)), short)
    after = np.arange(len(of_step)) - np.repeat(np.cumsum(short) - short, short)
    smoothed = np.empty((3, len(of_step)))
    for start in range(0, len(of_step), PLACES_AT_ONCE):
        part = slice(start, start + PLACES_AT_ONCE)
        of, since = of_step[part], after[part]
        at, most = table_at[matrix[of]], middle[of]
        # Of a stretch that was cut, the steps after the middle are as far from the end as they were.
        until = short[of] - 1 - since
        cut = length[of] - short[of]
        since, until = since + np.where(since > most, cut, 0), until + np.where(since <= most, cut, 0)
        forward = _moved(first.take(of, axis=1), table.take(at + np.minimum(since, most), axis=2))
        backward = table.take(at + np.minimum(until, most), axis=2).swapaxes(0, 1)
        forward *= _moved(last.take(of, axis=1), backward)
        forward /= forward[0] + forward[1] + forward[2]
        smoothed[:, part] = forward
    times = np.where((after == middle[of_step]), 1 + (length - short)[of_step], 1)
    return np.repeat(smoothed, times, axis=1).reshape(3, len(wanted), -1)


def _memory(matrices: Floats, most: int) -> Counts:
    """Return after how many steps each of (N, 3, 3) matrices has forgotten where it began, `most` at most.

    The difference from the dominant eigenvector shrinks at each step by the ratio of the two largest eigenvalues
    (the power method; Golub and Van Loan, Matrix Computations, section 7.3).
    """
    sizes = np.sort(np.abs(np.linalg.eigvals(matrices)), axis=-1)
    ratio = np.clip(sizes[:, 1] / sizes[:, 2], 1e-300, 1.0 - 1e-15)
    steps = np.ceil(np.log(FORGOTTEN) / np.log(ratio)) + 3.0
    memory: Counts = np.minimum(steps, most).astype(np.int64)
    return memory
