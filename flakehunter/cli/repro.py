"""`flakehunter repro`: make a test flake on demand, and prove that a fix holds."""

import json as json_module
import shlex
import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flakehunter import console
from flakehunter.cli.options import (
    DbOption,
    JsonOption,
    ProjectOption,
    SchedulerOption,
    TestOrCommand,
    command_after_dashes,
)
from flakehunter.config import database_url, load_config
from flakehunter.errors import UsageError
from flakehunter.exitcodes import ExitCode
from flakehunter.model import ReproVerdict

if TYPE_CHECKING:
    from flakehunter.repro.bench import Arm
    from flakehunter.repro.command import Command


class Format(StrEnum):
    """Forms of the output."""

    TABLE = "table"
    JSON = "json"


COMMAND_SETTINGS = {"cls": TestOrCommand}


def repro(
    context: typer.Context,
    test: Annotated[
        str | None,
        typer.Argument(metavar="[TEST] [-- CMD...]", help="A test of the database, or a command.", show_default=False),
    ] = None,
    stress: Annotated[
        str | None,
        typer.Option(
            "--stress",
            metavar="SPEC",
            help="Stressor, several with +; see flakehunter stressors. Default: search for the one delay that does it.",
            show_default=False,
        ),
    ] = None,
    fix: Annotated[
        str | None, typer.Option("--fix", metavar="CMD", help="The command with the fix.", show_default=False)
    ] = None,
    fix_rev: Annotated[
        str | None, typer.Option("--fix-rev", metavar="REV", help="The git revision with the fix.", show_default=False)
    ] = None,
    fix_test: Annotated[
        str | None, typer.Option("--fix-test", metavar="TEST", help="The fixed twin of the test.", show_default=False)
    ] = None,
    fix_env: Annotated[
        list[str] | None,
        typer.Option("--fix-env", metavar="NAME=VALUE", help="A variable that is the fix; may be given again."),
    ] = None,
    group_kill: Annotated[
        str | None,
        typer.Option(
            "--group-kill",
            metavar="A,B,...",
            help="Compare group-kill backends: the first with each other one; a single one with the test as it stands.",
            show_default=False,
        ),
    ] = None,
    survive: Annotated[
        str, typer.Option("--survive", metavar="TIME", help="A fix has to hold with the event so late.")
    ] = "1s",
    directory: Annotated[
        Path | None,
        typer.Option("-C", "--directory", metavar="DIR", help="Folder of the test project.", show_default=False),
    ] = None,
    replay: Annotated[
        Path | None,
        typer.Option("--replay", metavar="FILE", help="Run what a repro.toml says again.", show_default=False),
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option("--save", metavar="FILE", help="Write a repro.toml that replays this.", show_default=False),
    ] = None,
    junit: Annotated[
        Path | None, typer.Option("--junit", metavar="PATH", help="JUnit file that CMD writes.", show_default=False)
    ] = None,
    trials: Annotated[
        int | None, typer.Option("--trials", min=1, help="At most so many trials of an arm.", show_default=False)
    ] = None,
    budget: Annotated[str, typer.Option("--budget", metavar="TIME", help="Time for all trials together.")] = "10m",
    time_limit: Annotated[str, typer.Option("--time-limit", metavar="TIME", help="Time limit of one trial.")] = "60s",
    parallel: Annotated[
        int,
        typer.Option("--parallel", min=1, max=64, help="Trials side by side, where the stressor takes no CPU."),
    ] = 1,
    max_rate: Annotated[float, typer.Option("--max-rate", help="A failure rate below this is good enough.")] = 0.05,
    confidence: Annotated[float, typer.Option("--confidence", help="How sure to be of a rate.")] = 0.95,
    cold: Annotated[
        bool, typer.Option("--cold", help="Start pytest anew for each trial instead of forking one that is ready.")
    ] = False,
    trace: Annotated[
        bool, typer.Option("--trace", help="Trace one run of each arm first, and compare what it predicts.")
    ] = False,
    format_: Annotated[Format, typer.Option("--format", help="Form of the output.")] = Format.TABLE,
    json: JsonOption = False,
    fail_on: Annotated[
        str | None, typer.Option("--fail-on", metavar="VERDICT[,...]", help="Exit with 1.", show_default=False)
    ] = None,
    scheduler: SchedulerOption = None,
    project: ProjectOption = None,
    db: DbOption = None,
) -> int:
    """Make a test or command flake on demand, measure how often, and prove that a fix holds.

    Trials run one after the other under a stressor, each below a supervisor that ends what it leaves behind, until the
    answer is certain: reproduced, not-reproduced, and with a fix fix-verified, fix-insufficient or undecided.
    """
    from flakehunter.cli.repro_text import as_text
    from flakehunter.cli.traced_arms import TracedArms
    from flakehunter.cli.traced_arms import as_text as traces_as_text
    from flakehunter.repro.bundle import read_bundle
    from flakehunter.repro.durations import parse_duration
    from flakehunter.repro.schedule import Rules
    from flakehunter.repro.session import Question, answer, check_question

    verdicts = _verdicts(fail_on)
    words = command_after_dashes(context)
    if replay is not None:
        if test is not None or words:
            raise UsageError("--replay says what to run", hint="leave the test or command away")
        seed = read_bundle(replay)
        test, words = seed.get("test"), tuple(shlex.split(seed.get("command", "")))
        stress = stress or seed["stress"]
        if not any((fix, fix_rev, fix_test, fix_env, group_kill)):
            fix, fix_rev, fix_test, fix_env = (seed.get(key) for key in ("fix", "fix_rev", "fix_test", "fix_env"))
            group_kill = ",".join(seed.get("group_kill", ()))
    folder = (directory or Path.cwd()).resolve()
    question = Question(
        test=test,
        words=words,
        stress=stress,
        folder=folder,
        config=load_config(start=folder) if directory is not None and folder.is_dir() else context.obj,
        rules=Rules(max_rate=max_rate, confidence=confidence, trials=trials),
        project=project,
        junit=junit,
        fix=fix,
        fix_rev=fix_rev,
        fix_test=fix_test,
        fix_env=tuple(fix_env or ()),
        group_kill=tuple(word.strip() for word in (group_kill or "").split(",") if word.strip()),
        survive_ms=parse_duration(survive, "--survive") * 1000,
        parallel=parallel,
        time_limit_s=parse_duration(time_limit, "--time-limit"),
        budget_s=parse_duration(budget, "--budget"),
        warm=not cold,
        save=save,
        scheduler=scheduler,
    )
    check_question(question)
    traced = TracedArms.prepare(question.time_limit_s) if trace else None
    announce = _announce if traced is None else traced.announcing(_announce)
    line = _ProgressLine()
    try:
        found = answer(question, database_url(db), progress=line.show, announce=announce, warn=console.warn)
    finally:
        line.clear()
    if traced is not None:
        found.document["traces"] = traced.finish(database_url(db), found.experiment_id, test=test, project=project)
    if json or format_ is Format.JSON:
        console.write(json_module.dumps(found.document, indent=2))
    else:
        console.write(as_text(found.document, found.experiment_id))
        if traced is not None:
            console.write(traces_as_text(found.document["traces"], folder))
    return ExitCode.FINDINGS if found.outcome.verdict in verdicts else ExitCode.OK


def _verdicts(text: str | None) -> set[ReproVerdict]:
    known = [verdict.value for verdict in ReproVerdict]
    words = [word.strip() for word in (text or "").split(",") if word.strip()]
    wrong = [word for word in words if word not in known]
    if wrong:
        raise UsageError(f"--fail-on: {wrong[0]!r} is no verdict", hint="known: " + ", ".join(known))
    return {ReproVerdict(word) for word in words}


def _announce(name: str, command: "Command") -> None:
    console.say(f"{name + ':':<7} {command.shown}")


class _ProgressLine:
    """One line on the terminal that is written over after each trial."""

    def __init__(self) -> None:
        self._shows = console.shows_progress()

    def show(self, arms: "Sequence[Arm]", elapsed_s: float) -> None:
        """Draw it."""
        if not self._shows:
            return
        shown = [arm for arm in arms if arm.tally.trials][-3:]
        parts = [f"{arm.name} {arm.tally.failures}/{arm.tally.counts.trials} failed" for arm in shown]
        latest = list(shown[-1].by_plan)[-1] if shown else ""
        sys.stderr.write(f"\r\x1b[K{latest}: {', '.join(parts)}, {elapsed_s:.0f} s")
        sys.stderr.flush()

    def clear(self) -> None:
        """Take it away."""
        if self._shows:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
