"""`flakehunter trace`: one run of a command or test, and what in it only luck had put in order."""

import os
from collections.abc import Sequence
from enum import StrEnum
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flakehunter import console
from flakehunter.cli.options import DbOption, JsonOption, ProjectOption, TestOrCommand, command_after_dashes
from flakehunter.clock import utc_now
from flakehunter.config import Config, database_url
from flakehunter.errors import UsageError
from flakehunter.exitcodes import ExitCode

if TYPE_CHECKING:
    from flakehunter.trace.session import TraceResult


class Format(StrEnum):
    """How to print the trace."""

    TABLE = "table"
    JSON = "json"
    SARIF = "sarif"


class FailOn(StrEnum):
    """When to return 1."""

    FINDINGS = "findings"
    NOTHING = "nothing"


COMMAND_SETTINGS = {"cls": TestOrCommand}


def trace(
    context: typer.Context,
    test: Annotated[
        str | None,
        typer.Argument(
            metavar="[TEST]", help="A test of the database, or nothing and `-- CMD...`.", show_default=False
        ),
    ] = None,
    format: Annotated[Format, typer.Option("--format", help="How to print it.")] = Format.TABLE,
    json: JsonOption = False,
    fail_on: Annotated[FailOn, typer.Option("--fail-on", help="Return 1 when there are findings.")] = FailOn.NOTHING,
    timeout: Annotated[
        str, typer.Option("--timeout", metavar="TIME", help="End the command after this long: 90s, 5m.")
    ] = "10m",
    source: Annotated[
        bool,
        typer.Option(
            "--source/--no-source",
            help="Let Python and Node programs name file and line; it also tells poll loops from single looks.",
        ),
    ] = True,
    stacks: Annotated[
        bool,
        typer.Option("--stacks", help="File and line in compiled programs too, by strace -k and addr2line; slow."),
    ] = False,
    all_events: Annotated[bool, typer.Option("--all-events", help="Every look of every test in the timeline.")] = False,
    overhead: Annotated[
        bool, typer.Option("--overhead", help="Run the command once without strace before, and compare.")
    ] = False,
    save: Annotated[
        Path | None,
        typer.Option("--save", metavar="FILE", help="Keep strace's own output there.", show_default=False),
    ] = None,
    db: DbOption = None,
    project: ProjectOption = None,
) -> int:
    """Run a test or command under strace and tell which looks at a process were not ordered after its end.

    One run is enough, also one that passes. Returns 0 even when the command fails: its own exit code is in the output.
    What the command prints goes to standard error. With TEST or --db the evidence goes into the database.
    """
    from flakehunter.groupkill.duration import parse_duration
    from flakehunter.trace.document import as_json, as_sarif
    from flakehunter.trace.session import trace as trace_run

    command = command_after_dashes(context)
    if bool(command) == bool(test):
        raise UsageError(
            "give a test or a command, and not both" if test else "there is nothing to trace",
            hint="flakehunter trace TEST, or flakehunter trace -- CMD...",
        )
    started = utc_now()
    plan = _plan(context.obj, test, command, db, project)
    try:
        result = trace_run(
            plan.command,
            cwd=plan.cwd,
            environment=os.environ | plan.environment,
            timeout_s=parse_duration(timeout),
            hooks=source,
            stacks=stacks,
            save=save,
            output_to=2,
            measure_overhead=overhead,
            observed=plan.observed,
        )
        document = as_json(result)
        if plan.engine is not None:
            _store(plan, result, document, started)
    finally:
        plan.close()
    if json or format is Format.JSON:
        console.write(dumps(document))
    elif format is Format.SARIF:
        console.write(dumps(as_sarif(result, Path.cwd()), indent=2))
    else:
        _print(result, document, all_events=all_events)
    if result.timed_out:
        console.warn(f"the command still ran after {timeout} and was ended; the findings are of what it did until then")
    if result.cut_short:
        console.warn("strace ended before the command did; the findings are of what it saw until then")
    return ExitCode.FINDINGS if result.findings and fail_on is FailOn.FINDINGS else ExitCode.OK


class _Plan:
    """What to run, and where the evidence goes."""

    def __init__(self, command: list[str]) -> None:
        self.command = command
        self.cwd: Path | None = None
        self.environment: dict[str, str] = {}
        self.engine: Any = None
        self.test_id: int | None = None
        self.project = "default"
        self.observed: Any = None
        self.folder: Any = None

    def close(self) -> None:
        """Let go of the database and the temporary folder."""
        if self.engine is not None:
            self.engine.dispose()
        if self.folder is not None:
            self.folder.cleanup()


def _plan(config: Config, test: str | None, command: Sequence[str], db: str | None, project: str | None) -> _Plan:
    plan = _Plan(list(command))
    plan.project = project or "default"
    if test is None:
        if db is not None:
            from flakehunter.db.engine import open_database

            plan.engine = open_database(database_url(db), create=True)
        return plan
    import tempfile

    from flakehunter.db.engine import open_database, readonly
    from flakehunter.db.queries.tests import find_test
    from flakehunter.db.queries.traces import observed
    from flakehunter.trace.target import command_of

    plan.engine = open_database(database_url(db))
    try:
        with readonly(plan.engine).connect() as connection:
            row = find_test(connection, test, project=project)
            plan.observed = observed(connection, row.id)
        plan.test_id, plan.project = row.id, row.identity.project
        plan.folder = tempfile.TemporaryDirectory(prefix="flakehunter-junit-")
        plan.command, plan.cwd, plan.environment = command_of(row, config, Path(plan.folder.name, "junit.xml"))
    except BaseException:
        plan.close()
        raise
    return plan


def _store(plan: _Plan, result: "TraceResult", document: dict[str, Any], started: Any) -> None:
    from flakehunter.trace.store import store

    root = plan.cwd or Path.cwd()
    experiment = store(
        plan.engine, result, document, project=plan.project, test_id=plan.test_id, root=root, started=started
    )
    console.detail(f"stored as experiment {experiment}")


def _print(result: "TraceResult", document: dict[str, Any], *, all_events: bool) -> None:
    from rich.table import Table
    from rich.text import Text

    from flakehunter.trace.timeline import timeline

    out = console.out()
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name, side in (("ms", "right"), ("event", "left"), ("who", "left"), ("what", "left"), ("where", "left")):
        table.add_column(name, justify=side, no_wrap=True)  # type: ignore[arg-type]
    for line in timeline(result, all_events=all_events):
        found = f"  ◀ {line.finding.mechanism}" if line.finding else ""
        style = (
            "bold red" if line.finding else {"exit": "dim", "start": "green", "signal": "yellow"}.get(line.event, "")
        )
        cells = (f"{line.ms:.1f}", line.event, line.who, line.what + found, line.place)
        table.add_row(*(Text(cell) for cell in cells), style=style)
    out.print(table)
    for finding, entry in zip(result.findings, document["findings"], strict=True):
        out.print(Text(f"\n{finding.mechanism}", style="bold red"), Text(finding.text), sep="\n  ")
        for line_of_text in _particulars(entry, finding):
            out.print(Text(f"  {line_of_text}"))
    if document["observed_rate"] is not None and result.findings:
        rate = document["observed_rate"]
        out.print(Text(f"\nflake rate in CI: {rate['value']:.1%} [{rate['low']:.1%}, {rate['high']:.1%}]"))
    console.say(_summary(result))


def _particulars(entry: dict[str, Any], finding: Any) -> list[str]:
    from flakehunter.cli.traced_arms import comparisons
    from flakehunter.trace.findings import FIXES

    lines = [f"test: {entry['test']}"] if entry["test"] else []
    for name, file, line in (
        ("signal", entry["signal_file"], entry["signal_line"]),
        ("look", entry["file"], entry["line"]),
    ):
        if file:
            called_from = f" (from {_short(entry['stack'][1])})" if name == "look" and len(entry["stack"]) > 1 else ""
            lines.append(f"{name}: {_short(file)}:{line}{called_from}")
    if entry["slack_ms"] is not None:
        reap = f", to the reaping {entry['slack_to_reap_ms']:.1f} ms" if entry["slack_to_reap_ms"] is not None else ""
        lines.append(f"slack: {entry['slack_ms']:.1f} ms{reap}")
    if entry["predicted_rates"]:
        rates = ", ".join(f"{name} {rate:.1%}" for name, rate in entry["predicted_rates"].items())
        lines.append(f"predicted failure rate: {rates}")
    lines += comparisons(entry)
    lines.append(f"fix: {FIXES[finding.mechanism]}")
    return lines


def _short(file: str) -> str:
    path = Path(file)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else file


def _summary(result: "TraceResult") -> str:
    count = len(result.findings)
    findings = "no finding" if count == 0 else f"{count} finding{'s' if count > 1 else ''}"
    status = "no exit code" if result.exit_code is None else f"exit code {result.exit_code}"
    wall = f"{result.wall_s:.2f} s under strace"
    if result.bare_wall_s:
        wall += f", {result.bare_wall_s:.2f} s without ({result.wall_s / result.bare_wall_s:.1f} times)"
    tests = len(result.world.windows)
    status += f", {tests} tests" if tests > 1 else ""
    lost = f", {result.not_understood} lines not understood" if result.not_understood else ""
    return f"{findings}; {status}, {result.world.born} processes, {wall}, {result.lines} lines of trace{lost}"
