"""`flakehunter run`: run a command, and end all of what it started."""

import json
from pathlib import Path
from typing import Annotated

import typer

from flakehunter import console
from flakehunter.errors import CommandError, UsageError
from flakehunter.exitcodes import ExitCode

COMMAND_SETTINGS = {"context_settings": {"allow_interspersed_args": False}}


class NotStartedError(CommandError):
    """CMD could not be started; the exit code says so, since any smaller one could be CMD's own."""

    exit_code = ExitCode.NOT_STARTED
    slug = "not-started"


def run(
    command: Annotated[list[str], typer.Argument(metavar="CMD...", help="The command, after `--`.")],
    group_kill: Annotated[
        str,
        typer.Option(
            "--group-kill",
            metavar="BACKEND",
            envvar="FLAKEHUNTER_GROUP_KILL",
            help="What ends the group; see `flakehunter backends`.",
        ),
    ] = "auto",
    timeout: Annotated[
        str | None,
        typer.Option("--timeout", metavar="TIME", help="End CMD after this long: 90s, 5m.", show_default=False),
    ] = None,
    grace: Annotated[
        str, typer.Option("--grace", metavar="TIME", help="How long processes have to end by themselves.")
    ] = "5s",
    report: Annotated[
        Path | None,
        typer.Option("--report", metavar="FILE", help="Write the kill report there (JSON).", show_default=False),
    ] = None,
) -> int:
    """Run CMD, and when it ends leave none of its processes behind.

    Like timeout(1) with the duties of an init: signals are passed on, orphans are reaped, processes that CMD leaves are
    named and ended, wherever they went. Returns CMD's status; 124 on a time-out, 128+n on signal n, 125 when CMD could
    not be started.
    """
    from flakehunter.groupkill.choice import choose
    from flakehunter.groupkill.command import StartError
    from flakehunter.groupkill.duration import parse_duration
    from flakehunter.groupkill.foreground import RunResult, run_command

    limit_s = None if timeout is None else parse_duration(timeout)
    if limit_s == 0:
        raise UsageError("--timeout 0 leaves CMD no time", hint="leave it out for no limit")
    try:
        result: RunResult = run_command(choose(group_kill), command, timeout_s=limit_s, grace_s=parse_duration(grace))
    except StartError as error:
        raise NotStartedError(error.message, argv=error.argv, hint=error.hint) from error
    _tell(result, timeout)
    if report is not None:
        _write(report, result.report.as_dict())
    return result.status


def _tell(result: object, timeout: str | None) -> None:
    from flakehunter.groupkill.foreground import RunResult
    from flakehunter.groupkill.report import describe_survivors, signal_name

    assert isinstance(result, RunResult)
    if result.timed_out:
        console.say(f"flakehunter: CMD still ran after {timeout} and was ended")
    if result.signal_number is not None:
        console.say(f"flakehunter: {signal_name(result.signal_number)} was passed on to all members")
    for member in result.outlived:
        left = f", having left its group by {member.escaped}" if member.escaped else ""
        console.say(f"flakehunter: pid {member.pid} ({' '.join(member.argv)}) outlived CMD{left}, and was ended")
    for step in result.report.escalations:
        console.say(f"flakehunter: {step.living} processes needed {step.how} after {step.at_ms:.0f} ms")
    for line in describe_survivors(result.report.survivors):
        console.warn(f"could not be ended: {line}")
    for error in result.report.errors:
        console.warn(error)


def _write(path: Path, document: dict[str, object]) -> None:
    try:
        path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"the report cannot be written to {path}: {error.strerror}", hint="CMD did run; give --report a path"
        ) from error
