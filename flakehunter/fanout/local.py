"""A pool of processes on this machine.

`concurrent.futures` does not say which of its workers died with which item, and one death breaks its whole pool. So
each worker is a `multiprocessing.Process` with pipes of its own and one item at a time: who dies is known by its pipe.

A caller with work of its own for each outcome would have the workers wait for it. Where they go `ahead`, some items
wait in the pipe of each, and some answers in the other one.
"""

import contextlib
import os
import pickle
import signal
import socket
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, islice
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import TracebackType
from typing import Any

from flakehunter.fanout.pool import MOST_DEATHS, Item, Outcome, Result, WorkerDiedError
from flakehunter.fanout.task import Answer, call, pickled

if sys.platform == "linux":
    import fcntl

ANSWERS_BYTES = 1 << 20
"""What workers that go ahead have answered and nobody has read yet: as much as Linux gives a pipe of any user."""
LAST_MOMENT_S = 5.0
"""Between the end of a worker's pipe and its own."""
PARENT_LOOK_S = 1.0
"""How often a worker looks whether the process that it works for is still there."""


class InlinePool:
    """The pool of one: this process itself."""

    workers = 1
    stands = True

    def map(
        self,
        function: Callable[[Item], Result],
        items: Iterable[Item],
        *,
        name: Callable[[Item], str] = str,
        resources: Mapping[str, float] | None = None,
        when_sent: Callable[[], None] | None = None,
    ) -> Iterator[Outcome[Item, Result]]:
        """Apply `function` to one item after the other; see `Pool.map`."""
        if when_sent is not None:
            when_sent()
        for item in items:
            yield call(function, item, name(item)).outcome(item)

    def places(self, resources: Mapping[str, float]) -> int:
        """Return 1: on one machine, items that need a resource take turns."""
        return 1

    def __enter__(self) -> "InlinePool":
        """Return the pool."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to end."""


@dataclass(slots=True)
class _Job:
    item: Any
    name: str
    deaths: int = 0


@dataclass(slots=True)
class _Worker:
    process: BaseProcess
    items: "Connection[Any, Any]"
    answers: "Connection[Any, Any]"
    room: int
    """Bytes of items that may wait in the pipe: one that filled it would wait for a worker that waits for us."""
    jobs: deque[tuple[_Job, int]] = field(default_factory=deque)
    """What it has, in the order of its answers, and the bytes of each."""

    def takes(self, size: int) -> bool:
        """Whether an item of so many bytes can be sent without a wait."""
        return not self.jobs or size + sum(waiting for _, waiting in self.jobs) <= self.room

    def close(self) -> None:
        """Close our ends of the pipes."""
        self.items.close()
        self.answers.close()

    def end(self, *, at_once: bool) -> None:
        """End the process and reap it; one that has nothing to do ends by itself when its pipe is closed."""
        self.close()
        if at_once:
            self.process.kill()
        self.process.join(timeout=5)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.process.close()


class LocalPool:
    """Processes of this machine, each started when there is an item for it, and kept until the pool is left."""

    stands = False

    def __init__(self, workers: int, *, at_least: int = 1, ahead: int = 0, start_method: str | None = None) -> None:
        """Have at most `workers` processes, and none for fewer than `at_least` items.

        Each has so many items `ahead`, before the outcome of the first is given: not for items that depend on outcomes.
        `start_method` is one of multiprocessing's, by default the best one.
        """
        self.workers = workers
        self._at_least, self._ahead = at_least, ahead
        self._start_method = start_method
        self._crew: list[_Worker] = []

    def map(
        self,
        function: Callable[[Item], Result],
        items: Iterable[Item],
        *,
        name: Callable[[Item], str] = str,
        resources: Mapping[str, float] | None = None,
        when_sent: Callable[[], None] | None = None,
    ) -> Iterator[Outcome[Item, Result]]:
        """Apply `function` to items in the processes; see `Pool.map`."""
        source = iter(items)
        few = list(islice(source, self._at_least))
        if len(few) < self._at_least:
            yield from InlinePool().map(function, few, name=name, when_sent=when_sent)
            return
        source = chain(few, source)
        again: deque[_Job] = deque()
        taken: list[Outcome[Item, Result]] = []
        most = 1 if resources else self.workers

        def jobs() -> Iterator[_Job]:
            while again:
                yield again.popleft()
            for item in source:
                yield _Job(item, name(item))

        try:
            while True:
                while self._wants(most) and (job := next(jobs(), None)) is not None:
                    failed = self._give(function, job, most)
                    if failed is None:
                        again.appendleft(job)
                        break
                    yield from failed
                if when_sent is not None:
                    when_sent()
                    when_sent = None
                yield from taken
                taken.clear()
                if not self._busy:
                    return
                for worker in self._ready():
                    if self._ahead:
                        # It gets its next item before the caller goes to work.
                        taken += self._take(worker, again)
                    else:
                        yield from self._take(worker, again)
        finally:
            # Whoever stopped listening in the middle wants nothing more of what is being worked on.
            for worker in [one for one in self._crew if one.jobs]:
                self._dismiss(worker)

    def fork(self) -> bool:
        """Start a worker before there is an item for it, and return True, if a fork is all that it takes."""
        if (self._start_method or _start_method()) != "fork":
            return False
        self._hire()
        return True

    @property
    def _busy(self) -> int:
        return sum(bool(worker.jobs) for worker in self._crew)

    def _wants(self, most: int) -> bool:
        """Whether a worker of at most so many can be given one item more."""
        return self._busy < most or any(len(worker.jobs) <= self._ahead for worker in self._crew if worker.room)

    def _give(self, function: Callable[[Any], Any], job: _Job, most: int) -> list[Outcome[Any, Any]] | None:
        """Send a job to an idle worker, a new one, or the one with the fewest; return None if there is no room for it.

        Returned is an outcome only where that cannot be done.
        """
        try:
            message = pickle.dumps((function, job.item, job.name), pickle.HIGHEST_PROTOCOL)
        except Exception as error:
            return [call(_raise, error, job.name).outcome(job.item)]
        while True:
            if self._busy < most:
                worker = next((one for one in self._crew if not one.jobs), None) or self._hire()
            else:
                worker = min(self._crew, key=lambda one: len(one.jobs))
            if not worker.takes(len(message)):
                return None
            try:
                worker.items.send_bytes(message)
            except OSError:
                if worker.jobs:  # it died with the first of them, and is asked for that
                    return None
                self._dismiss(worker)  # it was killed while it had nothing to do: no fault of the item
                continue
            worker.jobs.append((job, len(message)))
            return []

    def _ready(self) -> list[_Worker]:
        """Wait until a worker has answered or died."""
        busy = [worker for worker in self._crew if worker.jobs]
        ready = wait([handle for worker in busy for handle in (worker.answers, worker.process.sentinel)])
        return [worker for worker in busy if worker.answers in ready or worker.process.sentinel in ready]

    def _take(self, worker: _Worker, again: deque[_Job]) -> Iterator[Outcome[Any, Any]]:
        """Give the outcome of a worker's job; where it died instead, the job is put down to be done again."""
        job, _ = worker.jobs[0]
        try:
            answer: Answer = pickle.loads(worker.answers.recv_bytes())
        except (EOFError, OSError):
            # It is dead or about to be: its pipe is closed by nothing else.
            worker.process.join(timeout=LAST_MOMENT_S)
            how = _how(worker.process.exitcode)
            self._dismiss(worker)
            again.extend(waiting for waiting, _ in islice(worker.jobs, 1, None))
            job.deaths += 1
            if job.deaths < MOST_DEATHS:
                again.append(job)
                return
            error = WorkerDiedError(
                f"{job.name}: {job.deaths} processes died while they worked on it, the last {how}",
                item=job.name,
                hint="look in the kernel log for the OOM killer; leave the item out if it is the cause",
            )
            yield Outcome(job.item, socket.gethostname(), error=error)
            return
        worker.jobs.popleft()
        yield answer.outcome(job.item)

    def _hire(self) -> _Worker:
        context: Any = get_context(self._start_method or _start_method())
        to_do, items = context.Pipe(duplex=False)
        answers, done = context.Pipe(duplex=False)
        # A forked worker has our ends of all pipes: left open there, none of them would ever see the end of us.
        others = [pipe for worker in self._crew for pipe in (worker.items, worker.answers)]
        closing = [items, answers, *others] if context.get_start_method() == "fork" else []
        process = context.Process(target=_serve, args=(to_do, done, closing), daemon=True, name="flakehunter worker")
        with to_do, done:
            process.start()
        worker = _Worker(process, items, answers, _room(items, answers) if self._ahead else 0)
        self._crew.append(worker)
        return worker

    def _dismiss(self, worker: _Worker) -> None:
        """End a worker at once."""
        self._crew.remove(worker)
        worker.end(at_once=True)

    def places(self, resources: Mapping[str, float]) -> int:
        """Return 1: on one machine, items that need a resource take turns."""
        return 1

    def __enter__(self) -> "LocalPool":
        """Return the pool."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End all workers: they have nothing to do, but after an exception they may, and are killed."""
        for worker in self._crew:
            worker.close()
        while self._crew:
            self._crew.pop().end(at_once=kind is not None)


def _raise(error: Exception) -> None:
    raise error


def _how(status: int | None) -> str:
    if status is None:
        return "without an end"
    if status < 0:
        with contextlib.suppress(ValueError):
            return f"by {signal.Signals(-status).name}"
    return f"with status {status}"


def _start_method() -> str:
    """Return `fork` where it is safe, since it shares all that is imported; else `spawn`.

    A fork of a process with several threads may copy a lock that nobody will release (POSIX fork(2), NOTES).
    """
    if not sys.platform.startswith("linux") or threading.active_count() > 1:
        return "spawn"
    # Threads of libraries, such as those of BLAS, are not Python's.
    return "fork" if len(list(Path("/proc/self/task").iterdir())) == 1 else "spawn"


def _room(items: "Connection[Any, Any]", answers: "Connection[Any, Any]") -> int:
    """Make room for answers where the system can; return how many bytes of items may wait, 0 where it does not tell."""
    if sys.platform != "linux":
        return 0
    try:
        fcntl.fcntl(answers.fileno(), fcntl.F_SETPIPE_SZ, ANSWERS_BYTES)
    except OSError:  # the user has many large pipes
        return 0
    # Half: a page of a pipe may not be full.
    return fcntl.fcntl(items.fileno(), fcntl.F_GETPIPE_SZ) // 2


def _serve(
    items: "Connection[Any, Any]", answers: "Connection[Any, Any]", closing: "list[Connection[Any, Any]]"
) -> None:
    """Work for the process at the other end of the pipes, until it closes them."""
    for other in closing:
        other.close()
    # Ctrl-C reaches every process of the terminal: what becomes of the workers is for the first one to say.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    while True:
        try:
            message = items.recv_bytes()
        except (EOFError, OSError):
            return
        name = "an item"
        try:
            function, item, name = pickle.loads(message)
            answer = call(function, item, name)
        except Exception as error:  # the item or the function cannot be unpickled here
            answer = call(_raise, error, name)
        try:
            answers.send_bytes(pickled(answer, name))
        except OSError:
            return


def _end_with_parent(parent: int) -> None:
    """End this worker when its parent was killed, also in the middle of an item."""
    process = parent_process()
    assert process is not None
    while not wait([process.sentinel], timeout=PARENT_LOOK_S):
        # Siblings that were forked later hold the sentinel's other end, too; but an orphan has another parent.
        if os.getppid() != parent:
            break
    os._exit(1)
