"""The harness's side of a trial: what to run, under what, and what the supervisor reported."""

import json
import os
import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from flakehunter.errors import FlakehunterError


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
    """Processes that keep the machine busy beside a trial; loads.py says what each kind does."""

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
    pgid: int
    sid: int
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
    """What happened in one trial; `status` is as Popen.returncode, None for a trial that was ended."""

    status: int | None
    hung: bool
    duration_s: float
    processes: tuple[ProcessRecord, ...]
    clean: bool
    errors: tuple[str, ...] = field(default=())
    window_opened: bool = False
    """Whether the process that the loads waited for (`window_from`) came."""

    @property
    def survivors(self) -> tuple[ProcessRecord, ...]:
        """Return the processes that outlived the command."""
        return tuple(process for process in self.processes if process.survived)


class PendingTrial:
    """A trial that runs; `finish` waits for its report, `close` ends it with all that it has started."""

    def __init__(self, nursery: socket.socket, spec: TrialSpec) -> None:
        """Have `nursery` fork a supervisor and give it `spec`.

        Raises:
            TrialError: the nursery or the supervisor is dead.
        """
        self._ours, theirs = socket.socketpair()
        try:
            with theirs:
                _send(nursery, theirs)
            self._ours.sendall(json.dumps(asdict(spec) | {"loads_wait": spec.loads_wait}).encode() + b"\n")
        except OSError as error:
            self.close()
            raise TrialError(f"a trial's supervisor died: {error}", hint="look for what killed it") from error
        except BaseException:
            self.close()
            raise

    def finish(self) -> TrialReport:
        """Wait for the report; an interruption (KeyboardInterrupt, SIGTERM) ends the trial by closing its lifeline.

        Raises:
            TrialError: the supervisor died, or could not do its work.
        """
        try:
            answer = _read_line(self._ours)
        except OSError as error:
            raise TrialError(f"a trial's supervisor died: {error}", hint="look for what killed it") from error
        finally:
            self.close()
        if not answer:
            raise TrialError(
                "a trial's supervisor died before it reported; what it had started has been ended",
                hint="something killed it: look at the kernel log for the OOM killer",
            )
        return _parse(json.loads(answer))

    def close(self) -> None:
        """Close the lifeline."""
        self._ours.close()


def _send(nursery: socket.socket, theirs: socket.socket) -> None:
    try:
        socket.send_fds(nursery, [b"T"], [theirs.fileno()])
    except OSError as error:
        raise TrialError(
            f"the process that forks the trials died: {error}", hint="run again; with --cold if it happens again"
        ) from error


def _read_line(stream: socket.socket) -> bytes:
    parts = []
    while part := stream.recv(1 << 20):
        parts.append(part)
        if part.endswith(b"\n"):
            return b"".join(parts)
    return b""


def _parse(answer: Mapping[str, Any]) -> TrialReport:
    if "broken" in answer:
        raise TrialError(f"a trial's supervisor broke: {answer['broken']}", hint="this is a bug of flakehunter")
    records = [_record(row) for row in answer["processes"]]
    return TrialReport(
        status=answer["status"],
        hung=answer["hung"],
        duration_s=answer["duration_s"],
        processes=tuple(records),
        clean=answer["clean"],
        errors=tuple(answer["errors"]),
        window_opened=answer["window_opened"],
    )


def _record(row: Mapping[str, Any]) -> ProcessRecord:
    values = {name: row[name] for name in ProcessRecord.__slots__ if name in row}
    values["signals"] = tuple((name, moment, by) for name, moment, by in row.get("signals", ()))
    return ProcessRecord(**values)


def output_tail(path: str, *, lines: int = 15, limit: int = 65536) -> str:
    """Return the last lines that the command wrote, or an empty text."""
    try:
        with Path(path).open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - limit))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return "\n".join(text.rstrip().splitlines()[-lines:])
