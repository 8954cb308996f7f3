"""The states of a history given all of it: forward-backward over its stretches; see `stats.history`."""

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from flakehunter.stats.stretches import (
    Chains,
    Counts,
    Emissions,
    Floats,
    Stretches,
    apart,
    moved,
    one_step,
    powers,
    shares,
)

Shares = npt.NDArray[np.float32]

PLACES_AT_ONCE = 16_384
"""Steps whose matrices are in memory at once: 72 bytes each, which stays in the processor's cache."""

AT_ONCE = 2
"""Threads that fill in steps; more have to wait for Python."""

FORGOTTEN = 1e-14
"""Share of what a chain knew at one end of a stretch, below which it has forgotten it."""


def smooth(
    stretches: Stretches, chains: Chains, emissions: Emissions, wanted: Counts, chain: Counts, weight: Floats
) -> Shares:
    """Return the probability (3, W, T) of each state at each step given the whole series, times a weight.

    Args:
        stretches: all series.
        chains: all chains.
        emissions: those of all chains.
        wanted: (W,) the series, in ascending order.
        chain: (W,) the chain of each of them.
        weight: (W,) the weight of each of them.
    """
    used, chain_of = np.unique(chain, return_inverse=True)
    chosen = Chains(chains.transitions[used], chains.branching[used], chains.start[used])
    seen = Emissions(emissions.scaled[:, used], emissions.top[:, used])
    places = _Places(stretches, chosen, seen, wanted, chain_of)
    begins, ends = _begins(places, chosen.start[chain_of].T), _ends(places)
    steps = _within(stretches, one_step(chosen, seen), places.begin, (begins, ends), wanted, chain_of, weight)
    return steps.reshape(3, len(wanted), -1)


class _Places:
    """The stretches of the wanted series one after the other: all first ones, all second ones, and so on.

    With them the moves from each stretch to the next, which are made for some places at a time: memory is dear, and so
    is a call of NumPy.
    """

    def __init__(
        self, stretches: Stretches, chains: Chains, emissions: Emissions, wanted: Counts, chain: Counts
    ) -> None:
        many = np.searchsorted(wanted, stretches.many)
        self.many: list[int] = many[many > 0].tolist()
        self.begin: Counts = np.concatenate([[0], np.cumsum(self.many)])
        """(J + 1,) where the stretches of each place begin, and their number."""
        place = np.repeat(np.arange(len(self.many)), self.many)
        row = np.arange(len(place)) - self.begin[place]
        self.before = self.begin[place - 1] + row
        """(N,) the stretch before each one; of no meaning for the first ones."""
        self.last = self.begin[stretches.number[wanted] - 1] + np.arange(len(wanted))
        """(W,) the last stretch of each series."""
        pair, branch = stretches.pair[place, wanted[row]], stretches.branch[place, wanted[row]]
        codes, chains_used = len(stretches.code), len(chains.start)
        self.at = pair * chains_used + chain[row]
        """(N,) index of the matrices of each stretch and its chain."""
        self.enters = self.at + branch * (codes * chains_used)
        """(N,) index of the move into each stretch."""
        rest = apart(powers(one_step(chains, emissions), stretches.code, stretches.length - 1)[0])
        self.rest = rest.reshape(3, 3, -1)
        """(3, 3, U * C) from the first to the last step of a stretch."""
        seen = np.moveaxis(emissions.scaled[stretches.code], -1, 0)
        self.seen = seen.reshape(3, -1)
        """(3, U * C) likelihoods at a step of a stretch."""
        lead = apart(np.stack([chains.transitions, chains.branching]))
        self.into = (lead[:, :, :, None] * seen[None, :, None]).reshape(3, 3, -1)
        """(3, 3, 2 * U * C) from the end of a stretch to the first step of the next."""

    def some(self) -> list[range]:
        """Return the places but the first, in ranges of about `PLACES_AT_ONCE` stretches."""
        places = len(self.many)
        cuts = np.searchsorted(self.begin, np.arange(self.begin[1], self.begin[-1], PLACES_AT_ONCE)).tolist()
        bounds = sorted({1, *(cut for cut in cuts if 1 < cut < places), places})
        return [range(low, high) for low, high in pairwise(bounds)]

    def entering(self, part: slice) -> Floats:
        """Return the moves (3, 3, n) from the end of the stretch before to the first step of each."""
        moves: Floats = self.into.take(self.enters[part], axis=2)
        return moves

    def moves(self, part: slice) -> Floats:
        """Return the moves (3, 3, n) from the first step of the stretch before to the first step of each."""
        through = self.rest.take(self.at[self.before[part]], axis=2)
        into = self.entering(part)
        moves: Floats = through[:, 0, None] * into[0]
        moves += through[:, 1, None] * into[1]
        moves += through[:, 2, None] * into[2]
        return moves


def _begins(places: _Places, start: Floats) -> Floats:
    """Return what the steps up to the first of each stretch say of it: (3, N)."""
    begins = np.empty((3, places.begin[-1]))
    state = shares(start * places.seen[:, places.at[: places.many[0]]])
    begins[:, : places.many[0]] = state
    for some in places.some():
        offset = places.begin[some.start]
        moves = places.moves(slice(offset, places.begin[some.stop]))
        for place in some:
            low, many = places.begin[place], places.many[place]
            state = shares(moved(state[:, :many], moves[:, :, low - offset : low - offset + many]))
            begins[:, low : low + many] = state
    return begins


def _ends(places: _Places) -> Floats:
    """Return what the steps after the last of each stretch say of it: (3, N)."""
    ends, after = np.ones((3, places.begin[-1])), np.empty((3, places.begin[-1]))
    # `after` is what the steps after its first one say of each stretch.
    after[:, places.last] = places.rest[:, :, places.at[places.last]].sum(axis=1)
    for some in reversed(places.some()):
        part = slice(places.begin[some.start], places.begin[some.stop])
        moves = places.moves(part).swapaxes(0, 1)
        for place in reversed(some):
            low, many, before = places.begin[place], places.many[place], places.begin[place - 1]
            at = low - part.start
            after[:, before : before + many] = shares(moved(after[:, low : low + many], moves[:, :, at : at + many]))
        ends[:, places.before[part]] = shares(moved(after[:, part], places.entering(part).swapaxes(0, 1)))
    return ends


def _within(
    stretches: Stretches,
    step: Floats,
    begin: Counts,
    said: tuple[Floats, Floats],
    wanted: Counts,
    chain: Counts,
    weight: Floats,
) -> Shares:
    """Return the weighed probability (3, W * T) of each state at each step, from what both ends of its stretch say."""
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
    table = apart(powers(step.reshape(-1, 3, 3), which, np.arange(len(which)) - table_at[which])[0])
    first, last = (one[:, begin[place] + row] for one in said)
    of_step = np.repeat(np.arange(len(row)), short)
    after = np.arange(len(of_step)) - np.repeat(np.cumsum(short) - short, short)
    smoothed = np.empty((3, len(of_step)), np.float32)
    weight = weight[row]

    def fill(start: int) -> None:
        part = slice(start, start + PLACES_AT_ONCE)
        of, since = of_step[part], after[part]
        at, most = table_at[matrix[of]], middle[of]
        # Of a stretch that was cut, the steps after the middle are as far from the end as they were.
        until = short[of] - 1 - since
        cut = length[of] - short[of]
        since, until = since + np.where(since > most, cut, 0), until + np.where(since <= most, cut, 0)
        forward = moved(first.take(of, axis=1), table.take(at + np.minimum(since, most), axis=2))
        backward = table.take(at + np.minimum(until, most), axis=2).swapaxes(0, 1)
        forward *= moved(last.take(of, axis=1), backward)
        smoothed[:, part] = shares(forward) * weight[of]

    # Loops of NumPy over long arrays run beside each other.
    with ThreadPoolExecutor(AT_ONCE) as beside:
        list(beside.map(fill, range(0, len(of_step), PLACES_AT_ONCE)))
    times = np.where((after == middle[of_step]), 1 + (length - short)[of_step], 1)
    return np.repeat(smoothed, times, axis=1)


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
