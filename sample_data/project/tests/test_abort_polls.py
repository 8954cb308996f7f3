"""Aborting a job ends everything it has started: looked at until a deadline."""

import signal
import time

from jobkeeper.job import Job, describe, is_running

DEADLINE_S = 5.0
PAUSE_S = 0.02


def wait_until_gone(pid: int) -> None:
    """Look at `pid` every 20 ms until it is gone; log the attempts; AssertionError after 5 s."""
    start = time.monotonic()
    attempt = 1
    while is_running(pid):
        elapsed = time.monotonic() - start
        print(f"attempt {attempt}: {describe(pid)} still runs {elapsed * 1000:.0f} ms after the abort")
        assert elapsed < DEADLINE_S, f"still running after {DEADLINE_S} s: {describe(pid)}"
        time.sleep(PAUSE_S)
        attempt += 1
    print(f"attempt {attempt}: {pid} is gone")


def test_abort_ends_the_grandchild_by_the_deadline():
    job = Job(["bash", "-c", "sleep 30 & echo $!; wait"])
    grandchild = int(job.first_line())
    job.abort()
    wait_until_gone(grandchild)


def test_abort_tree_ends_a_detached_grandchild():
    job = Job(["bash", "-c", "bash -c 'exec setsid sleep 30' & echo $!; wait"])
    grandchild = int(job.first_line())
    job.abort_tree()
    wait_until_gone(grandchild)


def test_abort_ends_fifty_grandchildren():
    job = Job(["bash", "-c", 'for i in $(seq 50); do sleep 30 & pids="$pids $!"; done; echo $pids; wait'])
    grandchildren = [int(word) for word in job.first_line().split()]
    assert job.abort() == -signal.SIGTERM
    for grandchild in grandchildren:
        wait_until_gone(grandchild)
