"""The search for the one delay, against simulated tests whose flaw is known."""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from flakehunter.model import Mechanism, TrialOutcome
from flakehunter.repro.search import Attempt, Plan, candidates, search
from flakehunter.repro.stressors.delay import EventDelay
from flakehunter.repro.trial import Delay, ProcessRecord, TrialReport


def record(index: int, parent: int, depth: int, argv: str, *signals: str) -> ProcessRecord:
    return ProcessRecord(
        index, 100 + index, 100 + parent, 1, 1, argv, "", False, 0, None, None, False, depth=depth, parent_index=parent,
        exec_at_ms=1.0, ended_at_ms=50.0, signals=tuple((name, 40.0, 101) for name in signals),
    )  # fmt: skip


PROCESSES = (
    record(1, 0, 0, "test"),
    record(2, 1, 1, "bash", "SIGTERM"),
    record(3, 2, 2, "sleep 30", "SIGTERM"),
    record(4, 1, 1, "date"),
    replace(record(5, 1, 1, "service"), takes_signals=True),
)


def simulated(
    fails: Callable[[Delay | None], bool], trials: list[str], most: int = 1000, *, waits: bool = False
) -> Callable[[str, str], tuple[TrialOutcome, TrialReport] | None]:
    def attempt(arm: str, spec: str) -> tuple[TrialOutcome, TrialReport] | None:
        if len(trials) >= most:
            return None
        trials.append(spec)
        delay = EventDelay.parse(spec.removeprefix("delay:")).delay if arm == "search" else None
        outcome = TrialOutcome.FAILED if fails(delay) else TrialOutcome.PASSED
        waited_s = delay.ms / 1000 if waits and delay is not None and outcome is TrialOutcome.PASSED else 0.0
        late_ms = {delay.who: delay.ms} if delay is not None and delay.event == "exit" else {}
        processes = tuple(replace(one, ended_at_ms=50.0 + late_ms.get(one.index, 0.0)) for one in PROCESSES)
        return outcome, TrialReport(0, False, 0.1 + waited_s, processes, True)

    return attempt


def late(event: str, who: int, slack_ms: float) -> Callable[[Delay | None], bool]:
    return lambda delay: delay is not None and (delay.event, delay.who) == (event, who) and delay.ms > slack_ms


@pytest.mark.parametrize(
    ("event", "who", "slack_ms", "mechanism"),
    [
        ("exit", 3, 0, Mechanism.CHECK_BEFORE_EXIT),
        ("exit", 3, 130, Mechanism.FIXED_SLEEP),
        ("exit", 2, 20, Mechanism.FIXED_SLEEP),
        ("signal", 2, 30, Mechanism.RESOURCE_STILL_HELD),
        ("report", 3, 3, Mechanism.ZOMBIE_COUNTED_ALIVE),
        ("report", 2, 30, Mechanism.FIXED_SLEEP),
        ("exit", 4, 30, Mechanism.SURVIVOR),
        ("exit", 5, 30, Mechanism.FIXED_SLEEP),
        ("start", 2, 145, Mechanism.SIGNAL_BEFORE_READY),
        ("start", 4, 700, Mechanism.ASSIGN_AFTER_EXIT),
    ],
)
def test_process_event_and_critical_delay_are_found(
    event: str, who: int, slack_ms: float, mechanism: Mechanism
) -> None:
    trials: list[str] = []
    plan = search(simulated(late(event, who, slack_ms), trials))
    assert isinstance(plan, Plan)
    assert (plan.event, plan.process.index, plan.mechanism) == (event, who, mechanism)
    assert slack_ms <= plan.critical_delay_ms <= slack_ms * 1.25 + 2
    assert plan.delay_ms >= plan.critical_delay_ms
    assert plan.first_victim == 2
    assert len(trials) < 120


def test_the_likeliest_delay_is_tried_as_soon_as_one_trial_is_recorded() -> None:
    trials: list[str] = []
    search(simulated(late("exit", 3, 20), trials))
    assert trials[:2] == ["control", "delay:exit:250ms@3"]
    assert trials.count("none") == 3
    assert trials.count("control") == 4


def test_an_event_that_needs_less_delay_is_the_one_even_if_it_is_less_likely() -> None:
    def fails(delay: Delay | None) -> bool:
        return late("exit", 3, 200)(delay) or late("signal", 2, 30)(delay)

    plan = search(simulated(fails, []))
    assert plan is not None
    assert (plan.event, plan.process.index) == ("signal", 2)
    assert 30 <= plan.critical_delay_ms <= 40


def search_after_record_of(processes: Sequence[ProcessRecord]) -> Plan | None:
    """Search for the exit of process 3, where the first record has these processes and later ones have all of them."""
    records = iter([processes])
    attempt = simulated(late("exit", 3, 20), [])

    def attempt_on_records(arm: str, spec: str) -> tuple[TrialOutcome, TrialReport] | None:
        result = attempt(arm, spec)
        if result is None or arm != "control":
            return result
        return result[0], TrialReport(0, False, 0.1, next(records, PROCESSES), True)

    return search(attempt_on_records)


def test_a_record_that_lacks_a_process_is_made_again() -> None:
    plan = search_after_record_of(PROCESSES[:2])
    assert plan is not None
    assert (plan.event, plan.process.index) == ("exit", 3)


def test_the_plan_names_the_program_that_another_record_knows() -> None:
    plan = search_after_record_of((*PROCESSES[:2], replace(PROCESSES[2], argv="bash", exec_at_ms=None), PROCESSES[3]))
    assert plan is not None
    assert plan.process.argv == "sleep 30"


def test_a_busy_machine_that_looks_late_rarely_changes_the_event() -> None:
    found = []
    for seed in range(20):
        dice = random.Random(seed)

        def fails(delay: Delay | None, dice: random.Random = dice) -> bool:
            # The look is late by up to 12 ms, and a late signal makes the exit late, too.
            meant = delay is not None and delay.event in ("exit", "signal") and delay.who == 3
            return meant and delay.ms > dice.uniform(0, 12)

        plan = search(simulated(fails, []))
        assert plan is not None
        assert plan.process.index == 3
        found.append(plan.event)
    assert found.count("exit") >= 16


def test_a_test_that_takes_longer_with_the_delay_waits_for_too_short_a_time() -> None:
    plan = search(simulated(late("exit", 3, 130), [], waits=True))
    assert plan is not None
    assert plan.mechanism is Mechanism.DEADLINE_TOO_SHORT
    assert plan.may_be(Mechanism.RESOURCE_STILL_HELD)
    assert not plan.may_be(Mechanism.SIGNAL_BEFORE_READY)


def test_one_slow_trial_on_a_busy_machine_is_no_wait() -> None:
    slow = iter([0.2])
    attempt = simulated(late("exit", 3, 130), [])

    def slow_once(arm: str, spec: str) -> tuple[TrialOutcome, TrialReport] | None:
        result = attempt(arm, spec)
        if result is None or result[0] is not TrialOutcome.PASSED or arm != "search":
            return result
        return result[0], replace(result[1], duration_s=0.1 + next(slow, 0.0))

    plan = search(slow_once)
    assert plan is not None
    assert plan.mechanism is Mechanism.FIXED_SLEEP


def test_a_wait_is_seen_though_the_start_of_each_trial_takes_another_time() -> None:
    dice = random.Random(2)
    for waits, mechanism in ((True, Mechanism.DEADLINE_TOO_SHORT), (False, Mechanism.FIXED_SLEEP)):
        attempt = simulated(late("exit", 3, 60), [], waits=waits)

        def started_late(arm: str, spec: str, attempt: Attempt = attempt) -> tuple[TrialOutcome, TrialReport] | None:
            result = attempt(arm, spec)
            if result is None or result[1] is None:
                return None
            ms = dice.uniform(0, 200)
            moved = tuple(replace(one, ended_at_ms=(one.ended_at_ms or 0.0) + ms) for one in result[1].processes)
            return result[0], replace(result[1], duration_s=result[1].duration_s + ms / 1000, processes=moved)

        plan = search(started_late)
        assert plan is not None
        assert plan.mechanism is mechanism


def test_what_fails_by_itself_every_time_needs_no_delay() -> None:
    trials: list[str] = []
    assert search(simulated(lambda _delay: True, trials)) is None
    assert set(trials) == {"none", "control"}


def test_an_accident_now_and_then_is_no_plan() -> None:
    dice = random.Random(1)
    assert search(simulated(lambda _delay: dice.random() < 0.2, [])) is None


def test_without_time_there_is_no_plan() -> None:
    for most in (0, 2, 5, 12):
        assert search(simulated(late("exit", 3, 700), [], most)) is None


def test_the_sentence_says_who_what_and_how_late() -> None:
    plan = search(simulated(late("exit", 3, 18), []))
    assert plan is not None
    said = plan.sentence
    assert said.startswith("fails if and only if process 3 (`sleep 30`, grandchild of the test) ends ≥ ")
    assert said.endswith(" ms late")


def test_what_fails_by_itself_now_and_then_does_not_fail_only_if() -> None:
    answers = iter([True])
    plan = search(simulated(lambda delay: next(answers, late("exit", 3, 0)(delay)), []))
    assert plan is not None
    assert plan.sentence.startswith("fails every time when process 3 ")


def test_victims_come_first_and_sigkill_is_never_held() -> None:
    killed = (PROCESSES[0], record(2, 1, 1, "bash", "SIGKILL"), record(3, 1, 1, "date"))
    order = [(process.index, event) for process, event in candidates(killed)]
    assert order[0] == (2, "exit")
    assert (2, "signal") not in order
