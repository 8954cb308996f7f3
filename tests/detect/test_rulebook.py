"""The rules are data: every example matches its own rule, and no two rules have one name."""

import re
from collections import Counter

import pytest

from flakehunter.detect.rulebook import Rule, built_in, with_own
from flakehunter.errors import UsageError
from flakehunter.model import Mechanism


@pytest.mark.parametrize("rule", built_in(), ids=lambda rule: rule.id)
def test_example_matches_its_rule(rule: Rule) -> None:
    assert rule.example
    assert rule.source
    assert rule.pattern.search(rule.example)
    for text in rule.counter:
        assert not rule.pattern.search(text), text


def test_rule_names_are_unique_and_every_mechanism_has_rules() -> None:
    assert [name for name, count in Counter(rule.id for rule in built_in()).items() if count > 1] == []
    assert {rule.mechanism for rule in built_in()} == set(Mechanism)


def test_own_rule_replaces_the_built_in_one_of_its_name() -> None:
    own = {"id": "defunct", "mechanism": "survivor", "pattern": "<<process>> is undead", "weight": 0.6}
    rules = with_own([own])
    assert len(rules) == len(built_in())
    assert rules[0].mechanism is Mechanism.SURVIVOR
    assert rules[0].pattern.search("worker is undead")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pattern": "("}, "unterminated|missing"),
        ({"pattern": "<<nosuch>>"}, "no macro 'nosuch'"),
        ({"mechanism": "cosmic-ray"}, "no mechanism 'cosmic-ray'"),
        ({"weight": 1.5}, "weight 1.5"),
        ({"where": ["stdout"]}, "stdout"),
        ({"patern": "x"}, "unknown key 'patern'"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_wrong_own_rule_is_a_usage_error(change: dict[str, object], message: str) -> None:
    entry = {"id": "own", "mechanism": "survivor", "pattern": "x"} | change
    with pytest.raises(UsageError) as caught:
        with_own([entry])
    assert re.search(message, caught.value.message)
    assert caught.value.hint
