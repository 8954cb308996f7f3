"""How stressors are written, and what they ask of the supervisor."""

import pytest

from flakehunter.errors import UsageError
from flakehunter.repro.stressors import Stressor, find_stressor, parse_stress, stressor_names
from flakehunter.repro.stressors.listing import list_stressors
from flakehunter.repro.trial import Load, TrialSpec

SPEC = TrialSpec(argv=("true",), cwd="/", env={}, output="/dev/null", time_limit_s=1)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("none", "none"),
        ("cpu:8", "cpu:8"),
        ("reap-delay:200ms", "reap-delay:200ms"),
        ("reap-delay:0.2s", "reap-delay:200ms"),
        ("reap-delay:200", "reap-delay:200ms"),
        ("cpu:2 + reap-delay:1s", "cpu:2+reap-delay:1000ms"),
        ("control", "control"),
        ("delay:exit:50", "delay:exit:50ms"),
        ("delay:exit:1s@depth=2", "delay:exit:1000ms@depth=2"),
        pytest.param("stress-ng:--cpu 8 --io 2", "stress-ng:--cpu 8 --io 2", marks=pytest.mark.needs("stress-ng")),
        ("one-cpu+quota:20%", "one-cpu+quota:20"),
        ("quota", "quota:10"),
        ("demote+cpu:8", "demote+cpu:8"),
        ("preempt", "preempt:40ms"),
        ("no-reaper", "no-reaper"),
        ("memory:5+io", "memory:5+io:2"),
        ("delay:start:0.5s@3+delay:report:1ms@sleep*", "delay:start:500ms@3+delay:report:1ms@sleep*"),
    ],
)
def test_a_specification_is_read_and_shown_in_full(text: str, shown: str) -> None:
    assert parse_stress(text).spec == shown


@pytest.mark.parametrize(
    "text",
    [
        "",
        "cp:8",
        "cpu:x",
        "cpu:0",
        "cpu:99999",
        "none:1",
        "reap-delay",
        "reap-delay:-1",
        "reap-delay:soon",
        "cpu:2+",
        "delay:exit:1@depth=x",
        "quota:0",
        "memory:99",
        "memory:x",
        "preempt:9s",
        "io:0",
        "stress-ng",
        "one-cpu:1",
        "demote:2",
        "no-reaper:1",
        "control+no-reaper",
    ],
)
def test_a_wrong_specification_is_refused_with_a_hint(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_stress(text)
    assert caught.value.hint


def test_an_unknown_stressor_names_the_known_ones() -> None:
    with pytest.raises(UsageError) as caught:
        parse_stress("gpu:1")
    assert caught.value.hint is not None
    for name in stressor_names():
        assert find_stressor(name).usage in caught.value.hint


def test_combined_stressors_all_reach_the_supervisor() -> None:
    applied = parse_stress("cpu:3+reap-delay:50").apply(SPEC)
    assert (applied.loads, applied.reap_delay_ms) == ((Load("cpu", 3),), 50.0)
    assert parse_stress("none").apply(SPEC) == SPEC


def test_every_stressor_has_the_shape_that_is_asked_of_plugins() -> None:
    for row in list_stressors():
        assert row["summary"], row
        assert isinstance(row["usable"], bool)
        assert isinstance(find_stressor(row["name"]), type)
    assert isinstance(parse_stress("none").parts[0], Stressor)
