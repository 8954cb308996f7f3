"""The harness's side of a trial: what to run, under what, and what the supervisor reported."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from flakehunter.errors import FlakehunterError

PACKAGE_ROOT = Path(__file__).parents[2]
"""The folder that flakehunter is in, for interpreters that are started without the project's environment."""


class TrialError(FlakehunterError):
    """A trial or its nursery broke for reasons of ours or the machine's, not of the test."""

    slug = "trial"


@dataclass(frozen=True, slots=True)
class Delay:
    """Hold a process at one kind of event, once."""

    event: str
    """`start`, `signal`, `exit` or `report`."""
    ms: float
    who: int | str | None = None
    """Its index in order of creation (the command is 1), `depth=N` (2 for grandchildren of the command), a pattern of
    its name or command line, or None for all."""


@dataclass(frozen=True, slots=True)
class Load:
    """Processes that keep the machine busy beside a trial; linux/loads.py says what each kind does."""

    kind: str
    """`cpu`, `preempt`, `memory`, `io` or `command`."""
    count: int = 1
    amount: float = 0.0
    """`preempt`: milliseconds of a burst; `memory`: percent of what is available."""
    argv: tuple[str, ...] = ()
    """`command`: what to run."""


@dataclass(frozen=True, slots=True)
class TrialSpec:
    """All that a supervisor has to know, as JSON; stressors change copies of it with `dataclasses.replace`."""

    argv: tuple[str, ...]
    cwd: str
    env: Mapping[str, str]
    output: str
    """File that takes the command's stdout and stderr."""
    time_limit_s: float
    junit: str | None = None
    """Where a warm pytest has to write its JUnit file."""
    has_window: bool = False
    """Whether the command tells when its test runs, as a warm pytest does."""
    modules: str | None = None
    """Where a warm pytest lists the library modules that the trial imported; only for a rehearsal."""
    loads: tuple[Load, ...] = ()
    """What runs beside the test, each process in a session of its own."""
    window_from: int = 0
    """Number, in order of creation, of the process at which the loads begin; 0 for loads from the start."""
    one_cpu: bool = False
    """Whether trial and loads share one CPU."""
    quota_percent: float | None = None
    """Percent of one CPU that the trial may use, by a cgroup; None for no limit."""
    demote: bool = False
    """Whether settled processes below the command's children get SCHED_IDLE."""
    reap_delay_ms: float | None = None
    """How late the supervisor reaps orphans; None for at once."""
    trace: bool = False
    """Whether the supervisor is the trial's ptracer too."""
    delays: tuple[Delay, ...] = ()
    """At which events which processes are held; needs `trace`."""

    @property
    def loads_wait(self) -> bool:
        """Whether the loads rest until the trial, or the order of its processes, says that the test runs."""
        return bool(self.loads) and (self.has_window or self.window_from > 0)


@dataclass(frozen=True, slots=True)
class ProcessRecord:
    """One process of a trial; the times are in milliseconds after the end of the command."""

    index: int
    """1-based, in order of creation; the command itself is 1."""
    pid: int
    ppid: int
    pgid: int | None
    """This and `sid` only where there are process groups and sessions."""
    sid: int | None
    argv: str
    state: str
    """State when the command ended: R, S, D, T, Z, or empty when it was gone."""
    survived: bool
    """Whether it was alive then, so that the supervisor had to end it."""
    exit_status: int | None
    exit_ms: float | None
    reap_ms: float | None
    left: bool
    """Whether not even SIGKILL got rid of it."""
    depth: int | None = None
    """Generations below the command; this and all that follows only from a tracer."""
    parent_index: int | None = None
    spawned_at_ms: float | None = None
    """This and the other moments count from the start of the trial."""
    exec_at_ms: float | None = None
    ended_at_ms: float | None = None
    reaped_at_ms: float | None = None
    signals: tuple[tuple[str, float, int | None], ...] = ()
    """(name, moment in ms, sender's pid) of each signal that it received."""
    takes_signals: bool = False
    """Whether it received none but blocked those that end a process: what it takes by sigwait(3) or signalfd(2) is
    never delivered, so that no tracer sees it."""

    @property
    def timeline(self) -> dict[str, Any] | None:
        """Return what the tracer saw, as the database keeps it; None without a tracer."""
        if self.depth is None:
            return None
        return {
            "index": self.index,
            "parent_index": self.parent_index,
            "depth": self.depth,
            "spawned_at_ms": self.spawned_at_ms,
            "exec_at_ms": self.exec_at_ms,
            "ended_at_ms": self.ended_at_ms,
            "reaped_at_ms": self.reaped_at_ms,
            "signals": [list(signal) for signal in self.signals],
        }


@dataclass(frozen=True, slots=True)
class TrialReport:
    """What happened in one trial; `status` is as Popen.returncode, None for a trial that was ended.

    Windows' codes of 32 bits without a sign are given with one, as its own tools print them.
    """

    status: int | None
    hung: bool
    duration_s: float
    processes: tuple[ProcessRecord, ...]
    clean: bool
    errors: tuple[str, ...] = field(default=())
    window_opened: bool = False
    """Whether the process that the loads waited for (`window_from`) came."""
    delay_missed: bool = False
    """Whether a process was gone before the plan could hold it, so that the trial says nothing of the plan."""

    @property
    def survivors(self) -> tuple[ProcessRecord, ...]:
        """Return the processes that outlived the command."""
        return tuple(process for process in self.processes if process.survived)


class PendingTrial(Protocol):
    """A trial that runs."""

    def finish(self) -> TrialReport:
        """Wait for the report; an interruption (KeyboardInterrupt, SIGTERM) leaves the end of the trial to `close`.

        Raises:
            TrialError: the trial broke.
        """
        ...

    def close(self) -> None:
        """End the trial, if it still runs, with all that it has started."""
        ...


class Nursery(Protocol):
    """Where the trials of an arm are started; as a context manager it is stopped at the end, with all below it."""

    warm: bool
    """Whether it forks a pytest that is ready to collect."""

    def run(self, spec: TrialSpec) -> TrialReport:
        """Run one trial.

        Raises:
            TrialError: it broke.
        """
        ...

    def start(self, spec: TrialSpec) -> PendingTrial:
        """Start a trial, which others may run beside.

        Raises:
            TrialError: it cannot be started.
        """
        ...

    @property
    def cpu_s(self) -> float:
        """Return the CPU time that it and all the trials that have ended used up; 0 when it is gone."""
        ...

    def preload(self, modules: Path) -> None:
        """Import the modules listed in the file `modules`, so that no trial pays for them again; only where `warm`.

        Raises:
            TrialError: that started threads or processes, so forking is not safe any more.
        """
        ...

    def close(self) -> None:
        """Stop it."""
        ...

    def __enter__(self) -> Self:
        """Return it."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it."""
        ...


def output_tail(path: str, *, lines: int = 15, limit: int = 65536) -> str:
    """Return the last lines that the command wrote, or an empty text."""
    try:
        with Path(path).open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - limit))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return "\n".join(text.rstrip().splitlines()[-lines:])
