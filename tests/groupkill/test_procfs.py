"""Identity and state of processes, read from /proc."""

import os
import subprocess
import sys
import threading

import pytest

from flakehunter.groupkill.linux.procfs import (
    ProcessId,
    children,
    descendants,
    is_gone,
    parse_stat,
    read_argv,
    read_stat,
    snapshot,
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc of Linux")

TAIL = "5 7 9 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 98765 11 22"


@pytest.mark.parametrize("comm", ["bash", "a b", "x) R 1 (y", "))", ""], ids=repr)
def test_parse_stat_with_any_command_name_counts_from_the_last_parenthesis(comm: str) -> None:
    stat = parse_stat(f"42 ({comm}) S {TAIL}\n")
    assert (stat.pid, stat.comm, stat.state) == (42, comm, "S")
    assert (stat.ppid, stat.pgid, stat.sid, stat.threads, stat.start_ticks) == (5, 7, 9, 1, 98765)


def test_parse_stat_of_a_short_line_says_so() -> None:
    with pytest.raises(ValueError, match="only 2 fields"):
        parse_stat("42 (bash) S 1")


def test_read_stat_of_this_process_agrees_with_the_system_calls() -> None:
    stat = read_stat(os.getpid())
    assert stat is not None
    assert (stat.pid, stat.ppid, stat.pgid, stat.sid) == (os.getpid(), os.getppid(), os.getpgrp(), os.getsid(0))
    assert not stat.is_dead
    assert read_argv(os.getpid())[1:] == tuple(sys.orig_argv)[1:]


def test_a_zombie_is_dead_but_still_there_until_it_is_reaped() -> None:
    child = subprocess.Popen(["true"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    stat = read_stat(child.pid)
    assert stat is not None
    assert stat.state == "Z"
    assert stat.is_dead
    assert is_gone(stat.identity)
    assert not is_gone(stat.identity, zombies_ok=False)
    assert child.pid in children(os.getpid())
    child.wait()
    assert is_gone(stat.identity, zombies_ok=False)


def test_a_process_whose_main_thread_ended_is_not_dead() -> None:
    # The kernel shows such a process as a zombie although it still runs: pthread_exit in main.
    code = (
        "import ctypes, threading, sys\n"
        "threading.Thread(target=sys.stdin.read).start()\n"
        "print('up', flush=True)\n"
        "ctypes.CDLL(None).pthread_exit(None)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    stat = read_stat(child.pid)
    while stat is not None and stat.state != "Z":
        stat = read_stat(child.pid)
    assert stat is not None
    assert not stat.is_dead
    assert not is_gone(stat.identity)
    child.kill()
    child.communicate()


def test_is_gone_tells_a_later_process_with_the_same_pid_apart() -> None:
    stat = read_stat(os.getpid())
    assert stat is not None
    assert not is_gone(stat.identity)
    assert is_gone(ProcessId(stat.pid, stat.start_ticks - 1))


def test_descendants_finds_grandchildren_of_every_thread() -> None:
    started: list[subprocess.Popen[bytes]] = []

    def start() -> None:
        started.append(
            subprocess.Popen(["bash", "-c", "sleep 60 & echo $!; wait"], stdout=subprocess.PIPE, start_new_session=True)
        )

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    leader = started[0]
    assert leader.stdout is not None
    grandchild = int(leader.stdout.readline())
    found = {stat.pid: stat for stat in descendants(os.getpid())}
    assert found[grandchild].ppid == leader.pid
    assert found[grandchild].sid == leader.pid
    assert {leader.pid, grandchild} <= set(snapshot())
    os.killpg(leader.pid, 9)
    leader.communicate()
