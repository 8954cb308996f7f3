"""A history as stretches of equal steps, and the arithmetic of chains of three states over them.

A *stretch* is a row of steps with equal counts on one branch; see `stats.history`, which has the model.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

DIRECT_CODES = 1_000_000
"""Different pairs of counts that are possible, up to which they are found without sorting all steps."""


@dataclass(frozen=True, slots=True)
class Chains:
    """C chains of three states: the plain one, and one for each rate."""

    transitions: Floats
    """(C, 3, 3): chain, from, to; between the commits of a branch."""
    branching: Floats
    """(C, 3, 3): from the last commit of one branch to the first of the next."""
    start: Floats
    """(C, 3)"""


@dataclass(frozen=True, slots=True)
class Stretches:
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
class Emissions:
    """The likelihoods of D different pairs of counts under each of C chains."""

    scaled: Floats
    """(D, C, 3): of each state, divided by the largest of the states that the chain has."""
    top: Floats
    """(D, C) the log of the largest."""


def stretches_of(bad: Counts, executed: Counts, first: Flags) -> Stretches:
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
    return Stretches(
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


def one_step(chains: Chains, emissions: Emissions) -> Floats:
    """Return the matrices (D, C, 3, 3) of a move between two commits and the likelihoods at the second."""
    return chains.transitions * emissions.scaled[:, :, None, :]


def powers(matrices: Floats, which: Counts, exponents: Counts) -> tuple[Floats, Floats]:
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


def apart(matrices: Floats) -> Floats:
    """Return matrices (..., 3, 3) as (3, 3, ...): the loops of NumPy are quick over the last axis, if it is long."""
    return np.ascontiguousarray(np.moveaxis(matrices, (-2, -1), (0, 1)))


def moved(states: Floats, moves: Floats) -> Floats:
    """Return row vectors (3, ...) times matrices (3, 3, ...)."""
    result: Floats = states[0] * moves[0]
    result += states[1] * moves[1]
    result += states[2] * moves[2]
    return result


def shares(states: Floats) -> Floats:
    """Return states (3, ...) divided by their sums."""
    result: Floats = states / (states[0] + states[1] + states[2])
    return result
