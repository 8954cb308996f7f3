"""`flakehunter wait-gone`: for shell and Node tests that have to know that processes are gone."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from flakehunter import console
from flakehunter.exitcodes import ExitCode
from flakehunter.model import SCHEMA_VERSION

if TYPE_CHECKING:
    from flakehunter.groupkill.gone import GoneReport, LookedAt


def wait_gone(
    pids: Annotated[list[int], typer.Argument(metavar="PID...", min=1, help="The processes to wait for.")],
    deadline: Annotated[str, typer.Option("--deadline", metavar="TIME", help="How long to wait: 500ms, 5s.")] = "5s",
    zombies_ok: Annotated[
        bool, typer.Option("--zombies-ok", help="Count a process that is dead but not reaped as gone.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> int:
    """Wait until every PID is gone; exit 0 when all are, 1 when one is still there at the deadline.

    Looks with a pause between looks until the deadline, and says how long each took. A process that is given one of the
    numbers meanwhile is told apart by its start time.
    """
    from flakehunter.groupkill.duration import parse_duration
    from flakehunter.groupkill.gone import wait_gone as wait

    report = wait(pids, parse_duration(deadline), zombies_ok=zombies_ok)
    if as_json:
        console.write(json.dumps(_document(report)))
    else:
        for process in report.processes:
            console.write(_line(process, report))
    return ExitCode.FINDINGS if report.left else ExitCode.OK


def _document(report: "GoneReport") -> dict[str, object]:
    return {"schema_version": SCHEMA_VERSION, "all_gone": not report.left, **asdict(report)}


def _line(process: "LookedAt", report: "GoneReport") -> str:
    command = f" {' '.join(process.argv)}" if process.argv else ""
    if process.gone_after_ms is None:
        hint = "; dead, but its parent has not reaped it: see --zombies-ok" if process.state == "Z" else ""
        return (
            f"{process.pid} still there ({process.state}) after {report.elapsed_ms:.0f} ms "
            f"and {report.attempts} looks:{command}{hint}"
        )
    if process.state == "Z":
        return f"{process.pid} gone after {process.gone_after_ms:.0f} ms (a zombie, counted as gone by --zombies-ok)"
    return f"{process.pid} gone after {process.gone_after_ms:.0f} ms"
