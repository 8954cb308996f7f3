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
    """Its index in order of creation (the command is 1), a pattern of its name or command line, or None for all."""


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
    hogs: int = 0
    """CPU-bound processes beside the test, each in a session of its own."""
    hogs_wait: bool = False
    """Whether they run only while the command says, through its window, that the test runs."""
    reap_delay_ms: float | None = None
    """How late the supervisor reaps orphans; None for at once."""
    trace: bool = False
    """Whether the supervisor is the trial's ptracer too."""
    delays: tuple[Delay, ...] = ()
    """At which events which processes are held; needs `trace`."""


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


@dataclass(frozen=True, slots=True)
class TrialReport:
    """What happened in one trial; `status` is as Popen.returncode, None for a trial that was ended."""

    status: int | None
    hung: bool
    duration_s: float
    processes: tuple[ProcessRecord, ...]
    clean: bool
    errors: tuple[str, ...] = field(default=())

    @property
    def survivors(self) -> tuple[ProcessRecord, ...]:
        """Return the processes that outlived the command."""
        return tuple(process for process in self.processes if process.survived)


def run_trial(nursery: socket.socket, spec: TrialSpec) -> TrialReport:
    """Have `nursery` fork a supervisor, give it `spec`, and wait for its report.

    Interrupting this (KeyboardInterrupt, SIGTERM) closes the lifeline, on which the supervisor ends the trial.

    Raises:
        TrialError: the nursery or the supervisor died, or could not do its work.
    """
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            _send(nursery, theirs)
        try:
            ours.sendall(json.dumps(asdict(spec)).encode() + b"\n")
            answer = _read_line(ours)
        except OSError as error:
            raise TrialError(f"a trial's supervisor died: {error}", hint="look for what killed it") from error
    if not answer:
        raise TrialError(
            "a trial's supervisor died before it reported; what it had started has been ended",
            hint="something killed it: look at the kernel log for the OOM killer",
        )
    return _parse(json.loads(answer), spec)


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


def _parse(answer: Mapping[str, Any], spec: TrialSpec) -> TrialReport:
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
