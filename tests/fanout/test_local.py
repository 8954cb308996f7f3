"""The pool of this machine: order, errors that name the item, workers that die, and nothing left behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from flakehunter.errors import DatabaseError
from flakehunter.fanout import Pool, TaskError, WorkerDiedError, open_pool
from flakehunter.fanout.local import InlinePool, LocalPool
from tests.fanout.work import (
    cannot_be_sent,
    die_always,
    die_once,
    four_times,
    pid_of,
    refuse_three,
    square,
    wait_for_ever,
)

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(params=["inline", "fork", "spawn"])
def pool(request: pytest.FixtureRequest) -> Iterator[Pool]:
    """Give a pool of each kind."""
    with InlinePool() if request.param == "inline" else LocalPool(2, start_method=request.param) as made:
        yield made


def test_map_of_many_items_gives_each_once(pool: Pool) -> None:
    outcomes = list(pool.map(square, range(20)))

    assert sorted((one.item, one.value) for one in outcomes) == [(number, number * number) for number in range(20)]
    assert {one.host for one in outcomes} == {os.uname().nodename}


def test_map_takes_items_only_as_workers_become_free(pool: Pool) -> None:
    taken = []

    def items() -> Iterator[int]:
        for number in range(50):
            taken.append(number)
            yield number

    outcomes = pool.map(square, items())
    for number, _ in enumerate(outcomes, start=1):
        assert len(taken) <= number + pool.workers


def test_workers_that_go_ahead_have_their_next_item_before_an_outcome_is_given() -> None:
    taken = []

    def items() -> Iterator[int]:
        for number in range(6):
            taken.append(number)
            yield number

    with open_pool(workers=1, ahead=2) as pool:
        outcomes = list(enumerate((len(taken), one.value) for one in pool.map(pid_of, items())))

    assert [number for number, (so_many, _) in outcomes if so_many != min(number + 4, 6)] == []
    [pid] = {pid for _, (_, (_, pid)) in outcomes}
    assert pid != os.getpid()


def test_items_and_answers_that_fill_the_pipes_of_a_worker_that_goes_ahead_do_not_stop_it() -> None:
    texts = [str(number) * 60_000 for number in range(8)]
    with open_pool(workers=1, ahead=3) as pool:
        outcomes = [(one.item, one.value) for one in pool.map(four_times, texts)]

    assert outcomes == [(text, [text] * 4) for text in texts]


def test_what_is_to_be_done_when_workers_have_items_is_done_once_and_before_any_outcome(pool: Pool) -> None:
    done: list[str] = []
    outcomes = pool.map(square, range(6), when_sent=lambda: done.append("sent"))

    for number, _ in enumerate(outcomes):
        assert done == ["sent"], number


def test_errors_name_the_item_and_keep_their_own_fields(pool: Pool) -> None:
    outcomes = {one.item: one for one in pool.map(refuse_three, range(6), name=lambda number: f"number {number}")}

    assert [outcomes[number].value for number in (0, 1, 2, 5)] == [0, 1, 2, 5]
    with pytest.raises(TaskError, match=r"number 3: ValueError: three is refused") as task:
        _ = outcomes[3].value
    assert (task.value.item, "refuse_three" in task.value.traceback) == ("number 3", True)
    with pytest.raises(DatabaseError, match="the server is gone") as own:
        _ = outcomes[4].value
    assert (own.value.url, own.value.hint) == ("postgresql://host/name", "start it")


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_result_that_cannot_be_sent_is_an_error_that_names_the_item(method: str) -> None:
    with LocalPool(2, start_method=method) as pool:
        outcomes = {one.item: one.error for one in pool.map(cannot_be_sent, range(3))}

    assert [outcomes[0], outcomes[2]] == [None, None]
    assert isinstance(outcomes[1], TaskError)
    assert outcomes[1].item == "1"


def test_item_that_cannot_be_sent_is_an_error_that_names_it() -> None:
    with LocalPool(2) as pool:
        [outcome] = pool.map(square, [lambda: 1], name=lambda _: "a function")  # type: ignore[arg-type]

    assert isinstance(outcome.error, TaskError)
    assert outcome.error.item == "a function"


@pytest.mark.parametrize("ahead", [0, 3])
def test_item_of_a_killed_worker_is_done_by_another(tmp_path: Path, ahead: int) -> None:
    with LocalPool(2, ahead=ahead) as pool:
        outcomes = list(pool.map(die_once, [(number, str(tmp_path)) for number in range(10)]))

    assert sorted(one.value for one in outcomes) == list(range(10))
    assert (tmp_path / "died").exists()


@pytest.mark.parametrize("ahead", [0, 3])
def test_item_that_kills_two_workers_is_an_error_that_names_it_and_the_others_are_done(ahead: int) -> None:
    with LocalPool(2, ahead=ahead) as pool:
        outcomes = {one.item: one for one in pool.map(die_always, range(6), name=lambda number: f"number {number}")}

    assert sorted(item for item, one in outcomes.items() if one.error is None) == [0, 1, 3, 4, 5]
    with pytest.raises(WorkerDiedError, match=r"number 2: 2 processes died .* the last by SIGKILL") as died:
        _ = outcomes[2].value
    assert died.value.item == "number 2"


def test_worker_killed_while_idle_is_replaced() -> None:
    with LocalPool(2) as pool:
        pids = {one.value[1] for one in pool.map(pid_of, range(4))}
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        assert sorted(one.value for one in pool.map(square, range(4))) == [0, 1, 4, 9]


def test_items_that_need_a_resource_take_turns() -> None:
    with LocalPool(2) as pool:
        pids = {one.value[1] for one in pool.map(pid_of, range(6), resources={"REPRO": 1})}

    assert len(pids) == 1


def test_leaving_in_the_middle_ends_busy_workers(tmp_path: Path) -> None:
    def stop_at_first(pool: LocalPool) -> None:
        for _ in pool.map(_first_quick, [("", 0), (str(tmp_path), 1)]):
            raise RuntimeError("enough")

    with LocalPool(2) as pool, pytest.raises(RuntimeError, match="enough"):
        stop_at_first(pool)


def _first_quick(item: tuple[str, int]) -> int:
    if item[0]:
        wait_for_ever(item[0])
    return item[1]


PROGRAM = """
import sys
from flakehunter.fanout import open_pool
from tests.fanout.work import wait_for_ever
if __name__ == "__main__":
    with open_pool(workers=2) as pool:
        list(pool.map(wait_for_ever, [sys.argv[1]] * 2))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["ctrl-c", "kill -9"])
def test_workers_end_with_the_program(tmp_path: Path, number: signal.Signals) -> None:
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, script, tmp_path], env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as program:
        while len(pids := list(tmp_path.glob("*.pid"))) < 2:
            assert program.poll() is None
            time.sleep(0.01)
        workers = [psutil.Process(int(path.stem)) for path in pids]
        # Ctrl-C reaches the workers, too.
        os.killpg(program.pid, number) if number is signal.SIGINT else program.send_signal(number)
        psutil.wait_procs(workers)
        _, errors = program.communicate()

    assert program.returncode == (-signal.SIGKILL if number is signal.SIGKILL else -signal.SIGINT)
    assert errors.count("Traceback") == (number is signal.SIGINT), errors


def test_open_pool_of_one_worker_starts_no_process() -> None:
    with open_pool(workers=1) as pool:
        assert [one.value[1] for one in pool.map(pid_of, range(2))] == [os.getpid()] * 2
