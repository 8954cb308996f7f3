"""Processes that keep CPUs, memory or a disk busy beside a trial: forked by its supervisor, ended with it.

Standard library and groupkill only, as supervisor.py. Each load leads a session of its own: autogroup shares the CPUs
by session (sched(7)), so hogs in the test's session would slow the test but not victims that call setsid, and hogs that
share one session would weigh no more than the test does.
"""

import sys

assert sys.platform == "linux"

import mmap
import os
import random
import signal
import time
from collections.abc import Mapping
from typing import Any, NoReturn

from flakehunter.groupkill.linux.sweep import die_with_parent

__all__ = ["LOADS", "available_memory", "start_loads"]

PAGE = mmap.PAGESIZE
BLOCK = 1 << 20
FILE_BLOCKS = 32
"""A writer of `io` starts over after so many blocks of 1 MiB."""


def start_loads(spec: Mapping[str, Any], reset: tuple[signal.Signals, ...]) -> tuple[int, ...]:
    """Fork the loads of a trial's `spec` and return their pids; those in `reset` get their default signals back."""
    return tuple(_fork(load, spec, reset) for load in spec["loads"] for _ in range(int(load["count"])))


def _fork(load: Mapping[str, Any], spec: Mapping[str, Any], reset: tuple[signal.Signals, ...]) -> int:
    supervisor = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    try:
        die_with_parent(signal.SIGKILL)
        if os.getppid() != supervisor:
            os._exit(0)
        for name in reset:
            signal.signal(name, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        os.setsid()
        if spec["one_cpu"]:
            os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        if spec["loads_wait"]:
            os.kill(os.getpid(), signal.SIGSTOP)
        LOADS[load["kind"]](load, spec)
    finally:
        os._exit(1)  # also after an error: nothing of the supervisor may run here


def _cpu(_load: Mapping[str, Any], _spec: Mapping[str, Any]) -> NoReturn:
    while True:
        pass


def _preempt(load: Mapping[str, Any], _spec: Mapping[str, Any]) -> NoReturn:
    """Take a CPU from everybody for `amount` ms again and again, with a rest as long in the mean."""
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    burst_s = float(load["amount"]) / 1000
    dice = random.Random(os.getpid())
    while True:
        time.sleep(dice.uniform(0, 2 * burst_s))
        end = time.monotonic() + burst_s
        while time.monotonic() < end:
            pass


def available_memory() -> int:
    """Return the bytes that /proc/meminfo calls available; 0 where it does not say."""
    with open("/proc/meminfo", encoding="ascii") as file:  # noqa: PTH123
        return next((int(line.split()[1]) * 1024 for line in file if line.startswith("MemAvailable:")), 0)


def _memory(load: Mapping[str, Any], _spec: Mapping[str, Any]) -> NoReturn:
    """Hold `amount` percent of what is available, and write to every page again and again."""
    with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:  # noqa: PTH123
        file.write("1000")  # when memory runs out, this one goes first
    pages = max(1, int(available_memory() * float(load["amount"]) / 100) // PAGE)
    block = mmap.mmap(-1, pages * PAGE)
    while True:
        for page in range(pages):
            block[page * PAGE] = page & 0xFF


def _io(_load: Mapping[str, Any], spec: Mapping[str, Any]) -> NoReturn:
    """Write to a file beside the trial's output and have each block reach the disk."""
    path = f"{spec['output']}.io-{os.getpid()}"
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    os.unlink(path)  # noqa: PTH108 - the kernel takes it away, however this process ends
    data = os.urandom(BLOCK)
    while True:
        for place in range(FILE_BLOCKS):
            os.pwrite(file, data, place * BLOCK)
            os.fsync(file)


def _command(load: Mapping[str, Any], _spec: Mapping[str, Any]) -> NoReturn:
    """Become another program, silent."""
    null = os.open(os.devnull, os.O_RDWR)
    for target in (0, 1, 2):
        os.dup2(null, target)
    os.chdir("/")
    os.execvp(load["argv"][0], list(load["argv"]))


LOADS = {"cpu": _cpu, "preempt": _preempt, "memory": _memory, "io": _io, "command": _command}
"""What kinds there are; `amount` and `argv` of a load mean what the function says."""
