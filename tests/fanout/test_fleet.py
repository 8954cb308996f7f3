"""The pool of dask workers: real schedulers and workers, some of which are killed."""

import os
import shutil
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from distributed import Client

from flakehunter import __version__
from flakehunter.errors import DatabaseError, RemoteError, UsageError
from flakehunter.fanout import Pool, TaskError, WorkerDiedError, open_pool
from flakehunter.fanout.companion import Companion
from flakehunter.fanout.fleet_beside import AHEAD, FleetBeside, join_early
from flakehunter.fanout.local import LocalPool
from tests.fanout.conftest import Fleet, end
from tests.fanout.work import cannot_be_sent, die_always, die_once, pid_of, refuse_three, square


@pytest.fixture(scope="module")
def companion() -> Iterator[Companion]:
    """Give a process beside this one."""
    with LocalPool(1, start_method="spawn") as pool, ThreadPoolExecutor(1) as thread:
        made = Companion(pool, thread)
        made.submit(pid_of, 0, name="nothing").result()  # now it is there, and no test has started it
        yield made


@pytest.fixture(params=["here", "beside"])
def opened(request: pytest.FixtureRequest, fleet: Fleet, companion: Companion) -> Iterator[Pool]:
    """Give the pool of the fleet, joined by this process or by the one beside it."""
    with open_pool(fleet.address) if request.param == "here" else FleetBeside(fleet.address, companion) as pool:
        yield pool


def test_map_gives_each_item_once_with_its_host(opened: Pool) -> None:
    outcomes = list(opened.map(square, range(50)))
    assert opened.workers == 2

    assert sorted((one.item, one.value) for one in outcomes) == [(number, number * number) for number in range(50)]
    assert {one.host for one in outcomes} == {socket.gethostname()}


def test_map_holds_few_items_at_a_time(opened: Pool) -> None:
    taken = []

    def items() -> Iterator[int]:
        for number in range(40):
            taken.append(number)
            yield number

    most = AHEAD if isinstance(opened, FleetBeside) else 2
    for number, _ in enumerate(opened.map(square, items()), start=1):
        assert len(taken) <= number + most * 2  # so many for each worker


@pytest.mark.parametrize("items", [0, 1, 20])
def test_what_is_to_be_done_when_workers_have_items_is_done_once_and_before_any_outcome(
    opened: Pool, items: int
) -> None:
    done: list[str] = []
    for _ in opened.map(square, range(items), when_sent=lambda: done.append("sent")):
        assert done == ["sent"]

    assert done == ["sent"]


def test_errors_name_the_item_and_keep_their_own_fields(opened: Pool) -> None:
    outcomes = {one.item: one for one in opened.map(refuse_three, range(6), name=lambda number: f"number {number}")}
    unsent = {one.item: one.error for one in opened.map(cannot_be_sent, range(3))}

    assert [outcomes[number].value for number in (0, 1, 2, 5)] == [0, 1, 2, 5]
    with pytest.raises(TaskError, match="number 3: ValueError: three is refused"):
        _ = outcomes[3].value
    with pytest.raises(DatabaseError, match="the server is gone") as own:
        _ = outcomes[4].value
    assert (own.value.url, own.value.hint) == ("postgresql://host/name", "start it")
    assert [unsent[0], unsent[2]] == [None, None]


def test_an_item_may_be_large(opened: Pool) -> None:
    # dask warns of more than 10 MB, and a warning is an error here
    [outcome] = opened.map(len, [b"x" * 11_000_000], name=lambda _: "large")

    assert outcome.value == 11_000_000


def test_items_with_a_resource_go_to_the_workers_that_have_it(opened: Pool) -> None:
    pids = {one.value[1] for one in opened.map(pid_of, range(10), resources={"REPRO": 1})}

    assert len(pids) == 1
    assert opened.places({"REPRO": 1}) == 1


def test_resource_that_no_worker_has_is_one_line_and_a_hint(opened: Pool) -> None:
    with pytest.raises(UsageError, match="none of the 2 workers") as refused:
        list(opened.map(square, range(3), resources={"GPU": 1}))

    assert refused.value.hint is not None
    assert "--resources GPU=1" in refused.value.hint


def test_fleet_that_comes_up_and_goes_down(tmp_path: Path) -> None:
    own = Fleet("", tmp_path)
    try:
        scheduler = own.start_scheduler({"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1"})
        with pytest.raises(UsageError, match="no worker has joined the scheduler at tcp://127") as alone:
            open_pool(own.address)

        (tmp_path / "flakehunter").mkdir()
        (tmp_path / "flakehunter/__init__.py").write_text("raise ImportError('not here')\n")
        bare = own.worker("bare", environment={"PYTHONPATH": str(tmp_path)})
        with pytest.raises(UsageError, match=r"worker tcp://.* cannot import flakehunter .*not here"):
            open_pool(own.address)
        end([bare])
        shutil.rmtree(tmp_path / "flakehunter")

        crew = [own.worker(name) for name in ("a", "b", "c")]
        with open_pool(own.address) as pool:
            once = list(pool.map(die_once, [(number, str(tmp_path)) for number in range(20)]))
            [always] = pool.map(die_always, [2], name=lambda number: f"number {number}")

            def items() -> Iterator[int]:
                yield 1
                end([scheduler])
                yield from range(100)

            with pytest.raises(RemoteError, match="in the middle of the work"):
                list(pool.map(square, items()))
    finally:
        own.end()

    assert alone.value.hint is not None
    assert f"dask worker {own.address}" in alone.value.hint
    assert sorted(one.value for one in once) == list(range(20))
    with pytest.raises(WorkerDiedError, match="number 2: worker after worker died"):
        _ = always.value
    assert [process.returncode for process in crew] == [-signal.SIGKILL] * 3


def test_item_whose_worker_dies_with_what_it_found_is_done_again(tmp_path: Path) -> None:
    own = Fleet("", tmp_path)
    try:
        own.start_scheduler()
        workers = [own.worker("one"), own.worker("two")]
        with Client(own.address) as observer, open_pool(own.address) as pool:
            outcomes = pool.map(square, range(4))
            taken = [next(outcomes)]
            while set(observer.run_on_scheduler(_states)) != {"memory"}:
                time.sleep(0.02)
            taken.append(next(outcomes))  # the two that are left are known to be done, and were not fetched yet
            end(workers)
            own.worker("three")
            taken += outcomes
    finally:
        own.end()

    assert sorted(outcome.value for outcome in taken) == [0, 1, 4, 9]


def _states(dask_scheduler: Any) -> list[str]:
    """Return what became of each item; run by the scheduler."""
    return [task.state for task in dask_scheduler.tasks.values()]


def test_workers_with_another_version_are_a_usage_error(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flakehunter.fanout.fleet.__version__", "9.9.9")

    with pytest.raises(UsageError, match=rf"and 1 more has flakehunter {__version__}, and this is 9\.9\.9") as refused:
        open_pool(fleet.address)
    assert refused.value.hint is not None
    assert "flakehunter-ci[dask]==9.9.9" in refused.value.hint


def test_address_where_nothing_listens_is_a_usage_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # not listening
        monkeypatch.setattr("flakehunter.fanout.fleet.CONNECT_S", 1.0)
        with pytest.raises(UsageError, match="no dask scheduler answers at tcp://127") as refused:
            open_pool(f"tcp://127.0.0.1:{bound.getsockname()[1]}")
    assert refused.value.hint is not None


def test_who_is_joined_early_tells_what_went_wrong_when_it_is_used(companion: Companion) -> None:
    join_early("here:there", companion)

    with pytest.raises(UsageError, match="no dask scheduler answers at here:there"):
        _ = FleetBeside("here:there", companion).workers


def test_process_beside_that_dies_is_an_error_and_a_hint(fleet: Fleet) -> None:
    with LocalPool(1, start_method="spawn") as pool, ThreadPoolExecutor(1) as thread:
        beside = Companion(pool, thread)
        outcomes = FleetBeside(fleet.address, beside).map(square, range(100))
        next(outcomes)
        _, pid = beside.submit(pid_of, 0, name="its own").result()
        os.kill(pid, signal.SIGKILL)

        with pytest.raises(RemoteError, match="the process that talks to the fleet has died"):
            list(outcomes)


def test_address_that_is_none_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="no dask scheduler answers at here:there"):
        open_pool("here:there")
