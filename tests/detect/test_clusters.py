"""Bad runs: what it says of a test that they hit it."""

import math

import pytest

from flakehunter.db.queries.history import RunRow
from flakehunter.detect.clusters import BadRun, by_test, sensitivities


def bad_run(number: int, tests: set[int], *, failed: int) -> BadRun:
    return BadRun(RunRow(number, "c", ("", "test", ""), "main", "", None, 10, failed), frozenset(tests))


def test_always_the_same_tests_are_sensitive() -> None:
    runs = [bad_run(number, {1, 2} if number else {1, 3}, failed=2) for number in range(4)]
    found = sensitivities(runs)
    assert {test: len(hits) for test, hits in by_test(runs).items()} == {1: 4, 2: 3, 3: 1}
    # Hit by all four with a chance of 0.2 each: Beta(5, 1) against 0.2 ** 4, and even odds for both stories.
    assert found[1] == pytest.approx(math.log(0.5 * (1 / 5) / 0.2**4 + 0.5))
    assert found[2] == pytest.approx(math.log(0.5 * (6 / 120) / (0.2**3 * 0.8) + 0.5))
    assert found[3] == 0.0


def test_a_run_that_failed_everything_says_no_nonsense() -> None:
    found = sensitivities([bad_run(1, {1}, failed=10), bad_run(2, {2}, failed=5)])
    assert all(math.isfinite(value) for value in found.values())
