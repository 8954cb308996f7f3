"""Which arm is next, and when the verdict is there."""

import random

import pytest

from flakehunter.model import ReproVerdict, TrialOutcome
from flakehunter.repro.schedule import SENTINEL_EVERY, Rules, Tally, decide, is_certain, next_arm

RULES = Rules()


def play(
    flawed_rate: float, fixed_rate: float | None, *, seed: int = 1, rules: Rules = RULES
) -> tuple[list[int], Tally, Tally | None]:
    dice = random.Random(seed)
    flawed, fixed = Tally(), None if fixed_rate is None else Tally()
    order: list[int] = []
    while (arm := next_arm(flawed, fixed, rules)) is not None:
        if arm == 0 and is_certain(flawed, rules):
            flawed.sentinels += 1
        order.append(arm)
        tally, rate = (flawed, flawed_rate) if arm == 0 else (fixed, fixed_rate)
        assert tally is not None
        assert rate is not None
        tally.add(TrialOutcome.FAILED if dice.random() < rate else TrialOutcome.PASSED)
        assert len(order) < 5000
    return order, flawed, fixed


def test_a_failure_every_time_is_reproduced_in_two_trials() -> None:
    order, flawed, _ = play(1.0, None)
    assert (len(order), decide(flawed, None, RULES)) == (2, ReproVerdict.REPRODUCED)


def test_trials_that_were_asked_for_are_all_run() -> None:
    tally = Tally(failures=9)
    assert decide(tally, None, Rules(trials=10)) is None
    tally.add(TrialOutcome.FAILED)
    assert decide(tally, None, Rules(trials=10)) is ReproVerdict.REPRODUCED


def test_no_failure_is_not_reproduced_when_the_interval_ends_below_the_rate() -> None:
    order, flawed, _ = play(0.0, None)
    assert len(order) == RULES.clean_trials == 72
    assert decide(flawed, None, RULES) is ReproVerdict.NOT_REPRODUCED


def test_one_failure_in_all_trials_is_reproduced_too() -> None:
    flawed = Tally(passes=71, failures=1)
    assert decide(flawed, None, RULES) is ReproVerdict.REPRODUCED


def test_few_trials_allowed_leave_it_undecided() -> None:
    assert decide(Tally(passes=10), None, Rules(trials=10)) is ReproVerdict.UNDECIDED


def test_no_trial_of_the_fix_is_spent_before_the_flaw_was_seen() -> None:
    order, flawed, fixed = play(0.0, 0.0)
    assert set(order) == {0}
    assert decide(flawed, fixed, RULES) is ReproVerdict.NOT_REPRODUCED


def test_arms_take_turns_until_the_flaw_is_certain_then_sentinels_remain() -> None:
    order, flawed, fixed = play(0.5, 0.0, seed=3)
    assert fixed is not None
    assert decide(flawed, fixed, RULES) is ReproVerdict.FIX_VERIFIED
    assert fixed.trials == 72
    assert flawed.sentinels == 72 // SENTINEL_EVERY - (72 % SENTINEL_EVERY == 0)
    first_failure = order.index(1)
    turns = order[first_failure : first_failure + 4]
    assert turns == [1, 0, 1, 0] or flawed.sentinels


def test_a_useless_fix_of_a_frequent_flake_is_insufficient() -> None:
    _, flawed, fixed = play(0.6, 0.6)
    assert decide(flawed, fixed, RULES) is ReproVerdict.FIX_INSUFFICIENT


def test_a_hang_counts_against_a_fix() -> None:
    flawed = Tally(failures=10)
    assert decide(flawed, Tally(passes=72), RULES) is ReproVerdict.FIX_VERIFIED
    assert decide(flawed, Tally(passes=72, hangs=1), RULES) is None


def test_errors_in_a_row_end_it_undecided() -> None:
    flawed = Tally()
    for _ in range(4):
        assert decide(flawed, None, RULES) is None
        flawed.add(TrialOutcome.ERRORED)
    assert decide(flawed, None, RULES) is ReproVerdict.UNDECIDED
    assert flawed.counts.trials == 0


@pytest.mark.parametrize("rate", [0.1, 0.9])
def test_useless_fixes_are_called_verified_never_in_forty(rate: float) -> None:
    verified = 0
    for seed in range(40):
        _, flawed, fixed = play(rate, rate, seed=seed, rules=Rules(trials=120))
        verified += decide(flawed, fixed, Rules(trials=120)) is ReproVerdict.FIX_VERIFIED
    assert verified == 0
