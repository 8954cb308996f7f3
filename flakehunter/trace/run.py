"""Run a command under strace to its end, read the trace as it comes, and leave no process behind."""

import contextlib
import fcntl
import os
import selectors
import socket
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from flakehunter.errors import CommandError
from flakehunter.trace.command import Strace, hook_environment, strace_argv
from flakehunter.trace.forgetting import Forgetting
from flakehunter.trace.reader import Reader
from flakehunter.trace.rules.survivors import SURVIVOR_GRACE_S
from flakehunter.trace.watching import ENTERED, RETURNED
from flakehunter.trace.world import World

__all__ = ["Traced", "trace_command"]

KEEPER = str(Path(__file__).with_name("keeper.py"))
ROOT = str(Path(__file__).resolve().parents[2])
PIPE_SIZE = 1 << 20
"""Bytes of trace that strace may be ahead of the reader: the largest that an unprivileged process may ask for."""
PIECE = 1 << 16
TICK_S = 0.02
"""How long the reader leaves strace alone between two looks at the pipe. A reader that slept in select(2) would be
woken by every line, and each time strace and the traced thread would lose their core to it."""
BUSY = PIPE_SIZE // 4
"""Bytes of one look from which on the reader goes on at once: so much in a tick, and the pipe could get full."""
MOST_WAITING = 4 << 20
"""Bytes from which on the trace is understood while it comes. Else that waits for a tick in which nothing comes: on few
CPUs it would take them from strace and the command."""
END_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Traced:
    """One traced run: the world at its end, the command's exit code, and what the reading was like."""

    world: World
    exit_code: int | None
    """As a shell has it: 128 + N when a signal ended it; None when the time limit did."""
    timed_out: bool
    cut_short: bool
    """Whether strace ended before the command did: killed, or detached."""
    wall_s: float
    """From the command's exec to its end, or to the end of its time; the start of strace is not in it."""
    lines: int
    not_understood: int


def trace_command(
    argv: Sequence[str],
    strace: Strace,
    *,
    environment: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout_s: float | None = None,
    hooks: bool = True,
    save: Path | None = None,
    output_to: int | None = None,
    stacks: bool = False,
) -> Traced:
    """Run `argv` under strace and read the trace; `save` keeps strace's text.

    `output_to` is a descriptor for the command's standard output; None leaves it as it is.

    Raises:
        CommandError: the command cannot be started.
    """
    environment = dict(os.environ if environment is None else environment)
    if hooks:
        environment = hook_environment(environment)
    world, reader = World(ENTERED, RETURNED, pgid=os.getpgrp(), sid=os.getsid(0)), Reader(stacks=stacks)
    started = time.monotonic()
    with contextlib.ExitStack() as stack:
        fifo = Path(tempfile.mkdtemp(prefix="flakehunter-trace-"), "strace")
        stack.callback(_forget, fifo)
        os.mkfifo(fifo, 0o600)
        # For reading and writing, so that opening does not wait for strace, nor strace for us.
        trace = os.open(fifo, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        stack.callback(os.close, trace)
        with contextlib.suppress(OSError):
            fcntl.fcntl(trace, fcntl.F_SETPIPE_SZ, PIPE_SIZE)
        copy = stack.enter_context(save.open("wb")) if save is not None else None
        filters = _filters(stack) if strace.narrows and not stacks else []
        ours, theirs = socket.socketpair()
        stack.enter_context(ours)
        with theirs:
            keeper = subprocess.Popen(
                # Without site and the hooks: it has to be there at once.
                [
                    sys.executable,
                    "-I",
                    "-S",
                    KEEPER,
                    ROOT,
                    str(theirs.fileno()),
                    str(fifo),
                    ",".join(map(str, filters)) or "-",
                    *strace_argv(strace, fifo, argv, stacks=stacks),
                ],
                pass_fds=[theirs.fileno(), *filters],
                env=environment,
                cwd=cwd,
                stdout=output_to,
            )
        try:
            timed_out = _read(Forgetting(world), reader, Source(trace, fifo, copy), ours, timeout_s)
        finally:
            ours.close()
            try:
                keeper.wait(END_TIMEOUT_S)
            finally:
                if keeper.poll() is None:
                    keeper.kill()
                    keeper.wait()
    root = world.root
    if root is None or (root.executed is None and not timed_out):
        raise CommandError(
            f"cannot run {argv[0]}", argv=tuple(argv), hint="check the spelling and that it can be executed"
        )
    wall = root.exited - root.spawned if root.exited is not None else time.monotonic() - started
    cut_short = root.exited is None and not timed_out
    return Traced(world, _exit_code(root.status), timed_out, cut_short, wall, reader.lines, reader.not_understood)


def _filters(stack: contextlib.ExitStack) -> list[int]:
    """Return descriptors of the filters for the keeper and the command, open as long as `stack` is."""
    from flakehunter.trace.stops import start_filter, stop_filter  # Linux's own, and this module is read everywhere

    descriptors = []
    for program in (start_filter(), stop_filter()):
        descriptors.append(os.memfd_create("filter"))
        stack.callback(os.close, descriptors[-1])
        os.write(descriptors[-1], program)
    return descriptors


def _exit_code(status: int | None) -> int | None:
    return status if status is None or status >= 0 else 128 - status


@dataclass(slots=True)
class Source:
    """Where the trace comes from: a fifo's descriptor, its path while it has one, and a file that keeps a copy."""

    descriptor: int
    fifo: Path | None
    copy: BinaryIO | None
    waiting: int = 0
    """Bytes that were taken in and not given yet."""
    _pieces: deque[bytes] = field(default_factory=deque)

    def take(self) -> int:
        """Take in all that there is now, so that strace can go on; return how many bytes that was."""
        before = self.waiting
        with contextlib.suppress(BlockingIOError):
            while piece := os.read(self.descriptor, PIECE):
                self._pieces.append(piece)
                self.waiting += len(piece)
                if self.fifo is not None:
                    # strace has it open by now: without a name, nothing stays behind even when this process is killed.
                    _forget(self.fifo)
                    self.fifo = None
                if self.copy is not None:
                    self.copy.write(piece)
        return self.waiting - before

    def give(self) -> bytes:
        """Return the oldest piece that was taken in; nothing when there is none."""
        if not self._pieces:
            return b""
        piece = self._pieces.popleft()
        self.waiting -= len(piece)
        return piece


def _forget(fifo: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        fifo.unlink()
        fifo.parent.rmdir()


def _read(
    forgetting: Forgetting,
    reader: Reader,
    source: Source,
    control: socket.socket,
    timeout_s: float | None,
) -> bool:
    """Read until nothing of the command is left, or its grace or its time is over; tell whether it was its time."""
    world = forgetting.world
    limit: float | None = None
    grace_end: float | None = None
    pause = TICK_S
    with selectors.DefaultSelector() as selector:
        selector.register(control, selectors.EVENT_READ)
        while True:
            now = time.monotonic()
            until = min((moment for moment in (limit, grace_end) if moment is not None), default=now + pause)
            if now >= until and until in (limit, grace_end):
                _mark_survivors(world)
                return grace_end is None
            ended = bool(selector.select(min(pause, until - now)))
            came = source.take()
            pause = 0.0 if came >= BUSY else TICK_S
            root = world.root
            if ended or not came or source.waiting > MOST_WAITING or root is None or root.executed is None:
                while piece := source.give():
                    forgetting.consume_all(reader.feed(piece))
                    source.take()
            if ended:
                # strace has ended; what it wrote was in the pipe, since it wrote before.
                world.consume_all(reader.finish())
                return False
            root = world.root
            if limit is None and timeout_s is not None and root is not None and root.executed is not None:
                # The command's time begins with the command, not with the start of the keeper and strace.
                limit = time.monotonic() + timeout_s
            if grace_end is None and root is not None and root.exited is not None:
                grace_end = time.monotonic() + SURVIVOR_GRACE_S


def _mark_survivors(world: World) -> None:
    for process in world.living.values():
        if process is not world.root:
            process.survived = True
