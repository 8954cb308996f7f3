"""How often useless fixes are called verified, and how many trials real ones need.

    python benchmarks/repro_simulated.py [--fixes 1500] [--real 1000]

Simulated trials go through the very rules that `repro` uses (schedule.py), with its defaults: R = 5 %, 95 % confidence,
alpha = 1 %. A useless fix fails as often as what it is to mend; a real one never fails. Prints the two tables of
benchmarks/repro.md. Five minutes of one CPU.
"""

import argparse
import functools
import random
import statistics
from collections import Counter
from dataclasses import dataclass

from flakehunter.model import ReproVerdict, TrialOutcome
from flakehunter.repro.schedule import Rules, Tally, decide, is_certain, next_arm
from flakehunter.stats.sequential import Counts, evidence_below, evidence_of_improvement

RULES = Rules()
USELESS_RATES = (0.02, 0.05, 0.1, 0.3, 0.5, 0.9, 1.0)
REAL_RATES = (1.0, 0.9, 0.5, 0.3, 0.1)
STRESSORS_MEDIANS = {0.5: 8, 0.3: 15, 0.1: 50}
"""Runs in the median until an e-process tells the arms apart, as measured before this was written."""


@functools.cache
def _next(before: tuple[int, int, int], after: tuple[int, int, int]) -> tuple[int | None, bool]:
    flawed, fixed = _tally(before), _tally(after)
    return next_arm(flawed, fixed, RULES), is_certain(flawed, RULES)


@functools.cache
def _is_better(before: tuple[int, int, int], after: tuple[int, int, int]) -> bool:
    counts = (Counts(failures, passes + failures) for passes, failures, _ in (before, after))
    return evidence_of_improvement(*counts) >= 1 / RULES.alpha


def _tally(key: tuple[int, int, int]) -> Tally:
    passes, failures, sentinels = key
    return Tally(passes=passes, failures=failures, sentinels=sentinels)


@dataclass(frozen=True, slots=True)
class Play:
    """One simulated experiment, in trials of the fix."""

    verdict: ReproVerdict | None
    below: int | None
    """Until "it fails as often as before" is rejected, the rate before being known; None for never."""
    better: int | None
    """The same, with the rate before as unknown as it is."""
    trials: int
    """Until the verdict."""


def play(flawed_rate: float, fixed_rate: float, dice: random.Random) -> Play:
    """Run one experiment to its verdict."""
    flawed, fixed = Tally(), Tally()
    below = better = None

    def key(tally: Tally) -> tuple[int, int, int]:
        return tally.passes, tally.failures, tally.sentinels

    while True:
        arm, certain = _next(key(flawed), key(fixed))
        if arm is None:
            verdict = decide(flawed, fixed, RULES)
            return Play(verdict, below, better, fixed.trials)
        if arm == 0 and certain:
            flawed.sentinels += 1
        tally, rate = ((flawed, flawed_rate), (fixed, fixed_rate))[arm]
        tally.add(TrialOutcome.FAILED if dice.random() < rate else TrialOutcome.PASSED)
        if below is None and arm == 1 and evidence_below(fixed.counts, min(flawed_rate, 0.999)) >= 1 / RULES.alpha:
            below = fixed.trials
        if better is None and _is_better(key(flawed), key(fixed)):
            better = fixed.trials


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fixes", type=int, default=1500, help="useless fixes for each rate")
    parser.add_argument("--real", type=int, default=1_000, help="real fixes for each rate")
    arguments = parser.parse_args()
    print("| failure rate | useless fixes | fix-verified | fix-insufficient | not-reproduced | undecided |")
    print("|-|-|-|-|-|-|")
    total = 0
    for rate in USELESS_RATES:
        dice = random.Random(f"useless {rate}")
        found = Counter(play(rate, rate, dice).verdict for _ in range(arguments.fixes))
        total += found[ReproVerdict.FIX_VERIFIED]
        shown = (
            ReproVerdict.FIX_VERIFIED,
            ReproVerdict.FIX_INSUFFICIENT,
            ReproVerdict.NOT_REPRODUCED,
            ReproVerdict.UNDECIDED,
        )
        print(
            f"| {rate:g} | {arguments.fixes} | " + " | ".join(f"{found[verdict]}" for verdict in shown) + " |",
            flush=True,
        )
        _next.cache_clear()
        _is_better.cache_clear()
    print(f"\nIn all {total} of {arguments.fixes * len(USELESS_RATES)} useless fixes were called verified.\n")
    print(
        "Real fixes, medians of the fix's trials: until it is certain (alpha) that it fails less often than before.\n"
    )
    print("| failure rate before | real fixes | verified | rate before known (goal) | not known | until the verdict |")
    print("|-|-|-|-|-|-|")
    for rate in REAL_RATES:
        dice = random.Random(f"real {rate}")
        plays = [play(rate, 0.0, dice) for _ in range(arguments.real)]
        verified = sum(one.verdict is ReproVerdict.FIX_VERIFIED for one in plays)
        below, better = (
            statistics.median(float("inf") if one is None else one for one in column)
            for column in ([one.below for one in plays], [one.better for one in plays])
        )
        goal = "" if rate not in STRESSORS_MEDIANS else f" ({STRESSORS_MEDIANS[rate]})"
        trials = statistics.median(one.trials for one in plays)
        print(f"| {rate:g} | {arguments.real} | {verified} | {below:g}{goal} | {better:g} | {trials:g} |", flush=True)


if __name__ == "__main__":
    main()
