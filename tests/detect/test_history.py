"""What is counted over whole histories at once, against counting commit by commit."""

import random
from itertools import groupby, product

import numpy as np
import pytest

from flakehunter.db.queries.history import History, Results, RunRow, history_of
from flakehunter.db.queries.packing import from_rows
from flakehunter.detect.history import LONG_STREAK, summarise

BRANCHES, JOBS, TESTS = ("main", "feature"), ("linux", "windows"), range(1, 7)


def history_with(draw: random.Random) -> tuple[History, dict[tuple[int, str, str], dict[int, list[bool]]]]:
    """Return a random history, and whether each execution failed by test, job and branch, and by commit."""
    runs, rows = [], []
    executions: dict[tuple[int, str, str], dict[int, list[bool]]] = {}
    broken = dict.fromkeys(TESTS, False)
    for number in range(1, 120):
        job, branch, commit = draw.choice(JOBS), draw.choice(BRANCHES), number // 3
        runs.append(RunRow(number, f"c{commit}", ("", job, ""), branch, "", None, len(TESTS), 0))
        for test in TESTS:
            broken[test] ^= draw.random() < 0.1
            if draw.random() < 0.2:
                continue
            failed = broken[test] or draw.random() < 0.02 * test
            rows.append((test, number, int(failed)))
            executions.setdefault((test, job, branch), {}).setdefault(commit, []).append(failed)
    return history_of(Results([from_rows(np.array(rows))], runs, [])), executions


@pytest.mark.parametrize("seed", range(5))
def test_streaks_are_those_of_each_job_and_branch(seed: int) -> None:
    history, executions = history_with(random.Random(seed))
    expected = {test: [0, 0, 0, 0] for test in TESTS}
    for test, job in product(TESTS, JOBS):
        chances = 0
        for commits in (executions[test, job, branch].values() for branch in BRANCHES):
            streaks = [(failing, len(list(some))) for failing, some in groupby(map(all, commits))]
            chances += len(commits) - 1
            for place, (failing, length) in enumerate(streaks):
                sides = (place > 0) + (place + 1 < len(streaks))
                if failing and length >= LONG_STREAK:
                    expected[test][1] += 1
                    chances -= length
                elif failing:
                    expected[test][0] += sides == 2
                    expected[test][2] += sides
        expected[test][3] += max(0, chances)

    summaries = summarise(history, p_flaky=0.1)

    assert set(summaries) == set(TESTS)
    for test, one in summaries.items():
        assert [one.short_streaks, one.broken_streaks, one.flips, one.flip_chances] == expected[test]
