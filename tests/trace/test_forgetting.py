"""What a long trace forgets is what nobody asks for any more: its findings are those of a world that keeps all."""

import re

import pytest
from sample import DEATH, END, GROUP, LOOK, PAUSE

from flakehunter.model import Mechanism
from flakehunter.trace.forgetting import WITHOUT_TESTS_S, Forgetting
from flakehunter.trace.reader import read_records
from flakehunter.trace.rules import find_all
from flakehunter.trace.watching import ENTERED, RETURNED
from flakehunter.trace.world import World

FIRST, *REST = (line for line in GROUP.splitlines() if line)
BODY = "\n".join(REST) + "\n"
POLL = """
1698  1795323073.323300 kill(1700, 0) = 0 <0.000010>
1700  1795323073.323350 +++ killed by SIGTERM +++
1698  1795323073.345000 kill(1700, 0) = -1 ESRCH (No such process) <0.000010>
"""
WAIT = """
1698  1795323073.322900 poll([{fd=5, events=POLLIN}], 1, 300 <unfinished ...>
1700  1795323073.323350 +++ killed by SIGTERM +++
1698  1795323073.323400 <... poll resumed>) = 1 ([{fd=5, revents=POLLIN}]) <0.0005>
"""
KINDS = (PAUSE + LOOK, DEATH + LOOK, POLL, WAIT, PAUSE)
LENGTH_S = 5.0


def moved(text: str, number: int) -> str:
    """Move the children of a test to other pids, and all of it to a later time."""
    lines = []
    for line in text.splitlines():
        if not line:
            continue
        line = re.sub(r"\b(1699|1700)\b", lambda pid: str(int(pid[1]) + 2 * number), line)
        lines.append(re.sub(r"\d{10}\.\d{6}", lambda time: f"{float(time[0]) + number * LENGTH_S:.6f}", line))
    return "\n".join(lines) + "\n"


def mark(what: str, time: float, number: int) -> str:
    return f'1698  {time:.6f} access("/.flakehunter/{what}/id=t{number}//w/a.py:3", F_OK) = -1 ENOENT (No) <0.00001>\n'


def suite(count: int, *, tests: bool) -> str:
    text = FIRST + "\n"
    for number in range(count):
        begin = 1795323073.2 + number * LENGTH_S
        before = mark("test", begin, number) + mark("body", begin + 0.01, number)
        after = mark("returned", begin + 1, number) + mark("tested", begin + 1.1, number)
        body = moved(BODY + KINDS[number % len(KINDS)], number)
        text += before + body + after if tests else body
    return text + moved(END, count)


def worlds(text: str) -> tuple[World, World]:
    """Return the world that keeps all, and the one that forgets early, after the same records."""
    records = list(read_records([text.encode()]))
    keeps, forgets = World(ENTERED, RETURNED), World(ENTERED, RETURNED)
    keeps.consume_all(records)
    feeding = Forgetting(forgets, processes=6, events=6)
    for record in read_records([text.encode()]):
        feeding.consume_all([record])
    return keeps, forgets


def told(world: World) -> list[tuple[Mechanism, int, str, str]]:
    return [(one.mechanism, one.victim.pid, one.text, one.window.test if one.window else "") for one in find_all(world)]


@pytest.mark.parametrize("tests", [True, False], ids=["tests", "one window"])
def test_findings_are_those_of_a_world_that_keeps_all(tests: bool) -> None:
    keeps, forgets = worlds(suite(40, tests=tests))
    assert told(forgets) == told(keeps)
    assert {mechanism for mechanism, *_ in told(keeps)} == {
        Mechanism.FIXED_SLEEP,
        Mechanism.CHECK_BEFORE_EXIT,
        Mechanism.DEADLINE_TOO_SHORT,
    }
    assert forgets.born == keeps.born == len(keeps.processes) == 81
    most = 2 * 2 * WITHOUT_TESTS_S / LENGTH_S if not tests else 20
    assert len(forgets.processes) <= most + 2


def test_look_that_only_a_failed_run_makes_a_finding_is_not_forgotten() -> None:
    stat = '1698  1795323073.323290 openat(AT_FDCWD</tmp>, "/proc/1700/stat", 0) = 3</proc/1700/stat> <0.00002>\n'
    early = "".join([FIRST, "\n", BODY, stat, DEATH.lstrip()])
    late = "".join(moved(BODY + KINDS[2], number) for number in range(1, 40))
    for status, expected in ((1, [Mechanism.CHECK_BEFORE_EXIT]), (0, [])):
        end = moved(END, 40).replace("exited with 0", f"exited with {status}")
        keeps, forgets = worlds(early + late + end)
        assert [mechanism for mechanism, *_ in told(forgets)] == expected
        assert told(forgets) == told(keeps)


def test_what_outlives_its_test_is_found_after_the_test_was_forgotten() -> None:
    text = suite(40, tests=True).replace("1795323083.323350 +++ killed by SIGTERM", "1795323083.32 ???")
    keeps, forgets = worlds(text)
    assert told(forgets) == told(keeps)
    assert Mechanism.SURVIVOR in {mechanism for mechanism, *_ in told(keeps)}


def test_deadlines_for_whom_is_forgotten_go_with_them() -> None:
    wait = (
        '1698  1795323073.322880 access("/.flakehunter/wait/timeout=9.0//w/a.py:3", F_OK) = -1 ENOENT (No) <0.00001>\n'
    )
    pidfd = "1698  1795323073.322890 pidfd_open(1700, 0) = 5<anon_inode:[pidfd]> <0.000010>\n"
    text = FIRST + "\n" + "".join(moved(BODY + wait + pidfd + POLL, number) for number in range(60)) + moved(END, 60)
    keeps, forgets = worlds(text)
    assert keeps.root is not None
    assert forgets.root is not None
    assert len(keeps.root.deadlines) == 60
    assert forgets.root.deadlines.keys() <= {process.index for process in forgets.processes}
