"""A process that is there before there is work for it: forked where that is safe, and gone afterwards."""

import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from flakehunter.fanout import TaskError
from flakehunter.fanout.companion import Companion, companion
from flakehunter.fanout.local import LocalPool
from tests.fanout.work import pid_of, refuse_three

ROOT = Path(__file__).resolve().parents[2]

PROGRAM = """
import os, sys, threading
from flakehunter.fanout import companion as module
from tests.fanout.work import pid_of
module.usable_cpus = lambda: int(sys.argv[1])
wait = threading.Event()
thread = threading.Thread(target=wait.wait)
if "thread" in sys.argv:
    thread.start()
with module.companion() as beside:
    if beside is None:
        print("none")
    else:
        _, pid = beside.submit(pid_of, 1, name="one").result()
        print(pid if pid != os.getpid() else "the same")
wait.set()
"""


def told(*arguments: str) -> str:
    """Return what the program prints."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are forked on Linux alone")
def test_companion_is_forked_and_ends() -> None:
    assert not psutil.pid_exists(int(told("2")))


@pytest.mark.parametrize("arguments", [("1",), ("2", "thread")], ids=["one CPU", "a thread"])
def test_no_companion_where_it_is_of_no_use_or_not_safe(arguments: tuple[str, ...]) -> None:
    assert told(*arguments) == "none"


def test_one_worker_has_no_companion() -> None:
    with companion(1) as beside:
        assert beside is None


def test_companion_does_all_in_one_process_and_errors_name_the_work() -> None:
    with LocalPool(1, start_method="spawn") as pool, ThreadPoolExecutor(1) as thread:
        beside = Companion(pool, thread)
        first, wrong, second = (
            beside.submit(pid_of, 1, name="first"),
            beside.submit(refuse_three, 3, name="the third"),
            beside.submit(pid_of, 2, name="second"),
        )
        assert first.result()[1] == second.result()[1]
        with pytest.raises(TaskError, match="the third: ValueError: three is refused"):
            wrong.result()
        assert pickle.loads(pickle.dumps(beside)) is None
