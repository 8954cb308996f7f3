"""`flakehunter detect`: judge every test, print the worst first."""

import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flakehunter import console
from flakehunter.cli.options import DbOption, JsonOption, ProjectOption, SchedulerOption
from flakehunter.config import database_url
from flakehunter.errors import UsageError
from flakehunter.exitcodes import ExitCode
from flakehunter.garbage import few_collections

if TYPE_CHECKING:
    from flakehunter.detect.assess import Detection


class Format(StrEnum):
    """Forms of the output."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"
    MARKDOWN = "markdown"
    GITHUB = "github"
    SARIF = "sarif"


class FailOn(StrEnum):
    """Verdicts that make the command fail."""

    FLAKY = "flaky"
    BROKEN = "broken"
    ANY = "any"


def detect(
    format_: Annotated[Format, typer.Option("--format", help="Form of the output.")] = Format.TABLE,
    json: JsonOption = False,
    everything: Annotated[bool, typer.Option("--all", help="List healthy tests too.")] = False,
    project: ProjectOption = None,
    outage_share: Annotated[
        float,
        typer.Option(min=0.0, max=1.0, help="A run in which more than this share of the results fail is an outage."),
    ] = 0.8,
    rules: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE", help="Text rules of your own, a TOML file with [[rule]] tables.", show_default=False
        ),
    ] = None,
    fail_on: Annotated[
        FailOn | None, typer.Option(help="Exit with 1 when there is a test of this verdict.", show_default=False)
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Processes that do the work; default: one a CPU.", show_default=False)
    ] = None,
    scheduler: SchedulerOption = None,
    no_store: Annotated[bool, typer.Option("--no-store", help="Only read; do not store verdicts for report.")] = False,
    db: DbOption = None,
) -> int:
    """Find out which tests are flaky, since when and why, from the history in the database."""
    with few_collections():
        from flakehunter.detect.early import early_companion
        from flakehunter.detect.rulebook import read_rules

        own = read_rules(rules or [])
        with early_companion(own, jobs, scheduler) as companion:
            from flakehunter.detect.assess import detect as detect_tests

            detection = detect_tests(
                database_url(db),
                project=project,
                rules=own,
                outage_share=outage_share,
                jobs=jobs,
                scheduler=scheduler,
                keep=not no_store,
                companion=companion,
            )
        _print(detection, Format.JSON if json else format_, everything)
    return _exit_code(detection, fail_on)


def _print(detection: "Detection", format_: Format, everything: bool) -> None:
    from flakehunter.detect import ci_output, output

    writers = {
        Format.GITHUB: ci_output.as_github,
        Format.SARIF: ci_output.as_sarif,
        Format.JSON: output.as_json,
        Format.JSONL: output.as_jsonl,
        Format.CSV: output.as_csv,
        Format.MARKDOWN: output.as_markdown,
    }
    if format_ in writers:
        text = writers[format_](detection, everything=everything)
        if text:
            console.write(text)
        if format_ is Format.GITHUB:
            _github_summary(output.as_markdown(detection))
        return
    _table(detection, everything)


def _github_summary(markdown: str) -> None:
    """Append the table to the job's summary, where GitHub Actions gives a file for it."""
    path = os.environ.get("GITHUB_STEP_SUMMARY")
    if not path:
        return
    try:
        with Path(path).open("a", encoding="utf-8") as summary_file:
            summary_file.write(f"## Flaky tests\n\n{markdown}\n")
    except OSError as error:
        raise UsageError(
            f"cannot write the job summary {path}: {error.strerror}", hint="check GITHUB_STEP_SUMMARY"
        ) from error


_STYLES = {"flaky": "bold red", "broken": "bold magenta", "unknown": "yellow", "healthy": "green"}


def _table(detection: "Detection", everything: bool) -> None:
    from rich.text import Text

    from flakehunter.detect import output

    out = console.out()
    lines = output.table_lines(detection, width=out.width, everything=everything)
    for number, (verdict, line) in enumerate(lines):
        text = Text(line, style="bold" if number == 0 else "")
        if verdict is not None:
            text.stylize(_STYLES[verdict], 0, len(verdict))
        out.print(text, soft_wrap=True)
    console.say(summary(detection, len(output.shown(detection, everything=everything))))


def summary(detection: "Detection", rows: int) -> str:
    """Return the closing line: how much was looked at, and what was left out."""
    flaky = len(detection.flaky)
    text = (
        f"{flaky} flaky of {console.plural(len(detection.assessments), 'test')}, from "
        f"{console.plural(detection.runs, 'run')} at {console.plural(detection.commits, 'commit')}"
    )
    if detection.outages:
        share = f"{detection.outage_share:.0%}"
        text += f"; {console.plural(len(detection.outages), 'run')} with more than {share} failures left out as outage"
    if detection.bad_runs:
        text += f"; failures of {console.plural(len(detection.bad_runs), 'bad run')} counted as one cause each"
    if rows < len(detection.assessments):
        text += f"; {console.plural(len(detection.assessments) - rows, 'healthy test')} not shown (--all)"
    return text


def _exit_code(detection: "Detection", fail_on: FailOn | None) -> int:
    from flakehunter.model import Verdict

    wanted = {
        None: set(),
        FailOn.FLAKY: {Verdict.FLAKY},
        FailOn.BROKEN: {Verdict.BROKEN},
        FailOn.ANY: {Verdict.FLAKY, Verdict.BROKEN},
    }[fail_on]
    found = any(one.weighed.verdict in wanted for one in detection.assessments)
    return ExitCode.FINDINGS if found else ExitCode.OK
