"""Trace one command and judge it: the one call that the command line makes."""

import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from flakehunter.errors import CommandError
from flakehunter.trace.command import Strace, TraceUnavailableError, find_strace
from flakehunter.trace.findings import Finding
from flakehunter.trace.rules import find_all
from flakehunter.trace.run import trace_command
from flakehunter.trace.world import World

if TYPE_CHECKING:
    from flakehunter.db.queries.traces import Observed

__all__ = ["TraceResult", "trace"]


@dataclass(frozen=True, slots=True)
class TraceResult:
    """What one traced run showed."""

    command: tuple[str, ...]
    exit_code: int | None
    timed_out: bool
    cut_short: bool
    """Whether strace ended before the command did."""
    world: World
    findings: tuple[Finding, ...]
    wall_s: float
    bare_wall_s: float | None
    """How long the same command took without strace; None when that was not measured."""
    lines: int
    not_understood: int
    observed: "Observed | None" = None
    """What `detect` and `repro` have seen of this test, to compare predictions with."""


def trace(
    command: Sequence[str],
    *,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
    timeout_s: float | None = None,
    hooks: bool = True,
    save: Path | None = None,
    output_to: int | None = None,
    measure_overhead: bool = False,
    stacks: bool = False,
    observed: "Observed | None" = None,
    strace: Strace | None = None,
) -> TraceResult:
    """Run `command` once under strace (and, to measure the overhead, once without it before) and judge the trace.

    `strace` is one that was found before; None looks for it.

    Raises:
        TraceUnavailableError: strace is missing, may not trace, or cannot give the stacks that are asked for.
        CommandError: the command cannot be started.
    """
    strace = strace or find_strace()
    if stacks and not strace.unwinds:
        raise TraceUnavailableError(
            f"{strace.path} was built without stack traces", hint="an strace whose -V says stack-trace=, or no --stacks"
        )
    _check(command, cwd)
    bare = _run_bare(command, cwd, environment, timeout_s, output_to) if measure_overhead else None
    traced = trace_command(
        command,
        strace,
        environment=environment,
        cwd=cwd,
        timeout_s=timeout_s,
        hooks=hooks,
        save=save,
        output_to=output_to,
        stacks=stacks,
    )
    return TraceResult(
        command=tuple(command),
        exit_code=traced.exit_code,
        timed_out=traced.timed_out,
        cut_short=traced.cut_short,
        world=traced.world,
        findings=tuple(find_all(traced.world)),
        wall_s=traced.wall_s,
        bare_wall_s=bare,
        lines=traced.lines,
        not_understood=traced.not_understood,
        observed=observed,
    )


def _check(command: Sequence[str], cwd: Path | None) -> None:
    program = command[0]
    found = shutil.which(program) if "/" not in program else shutil.which(str((cwd or Path.cwd()) / program))
    if found is None:
        raise CommandError(
            f"cannot run {program}: there is no such program, or it may not be executed",
            argv=tuple(command),
            hint="check the spelling; a shell line needs bash -c '…'",
        )


def _run_bare(
    command: Sequence[str],
    cwd: Path | None,
    environment: Mapping[str, str] | None,
    timeout_s: float | None,
    output_to: int | None,
) -> float | None:
    started = time.monotonic()
    with subprocess.Popen(command, cwd=cwd, env=environment, stdout=output_to, start_new_session=True) as process:
        try:
            process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            return None
    return time.monotonic() - started
