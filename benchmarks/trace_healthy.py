"""Trace suites that are healthy, and say what `flakehunter trace` finds in them: it should be nothing.

    python benchmarks/trace_healthy.py [--suite NAME]... [--seconds N] [--jobs N] [--fresh] [--write]

The suites are all of flakehunter's own tests, one run for each file, and the waiting tests of the sample project
(pytest, vitest). What was traced is kept in .cache/trace-healthy with the commit, and a second call goes on with what
is missing: so `--seconds` cuts hours into turns. `--fresh` forgets what the chosen suites have. Left out is only what
cannot be traced: LEFT_OUT says what and why. The table has a line for each folder.
Exit status 1 when there is a finding, 4 when something is still missing; `--write` puts the table into
benchmarks/trace.md. The text of strace is kept for suites with a finding, and with `--keep` for all.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path

from sections import write_section

from flakehunter.trace.command import find_strace
from flakehunter.trace.findings import Finding
from flakehunter.trace.forgetting import Forgetting
from flakehunter.trace.reader import Reader
from flakehunter.trace.rules import find_all
from flakehunter.trace.session import TraceResult, trace
from flakehunter.trace.watching import ENTERED, RETURNED
from flakehunter.trace.world import World

ROOT = Path(__file__).resolve().parent.parent
PAGE = Path(__file__).with_name("trace.md")
KEPT = ROOT / ".cache" / "trace-healthy"
SAMPLE = ROOT / "sample_data" / "project"
PYTEST = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--timeout=900")
WAITING = ("abort_polls", "agent_waits", "backoff", "job", "journal", "pool_waits", "spec")
STRACE = find_strace()
ON_PURPOSE = "runs flawed tests on purpose, which a trace names"
TRACES = "traces itself, and a process has one tracer at most"
STOPPED = "waits for the state T of a stopped process, which is t below a tracer"
LOADED = "keeps both processors busy with eight processes: below a trace as well, its waits of 30 s run out"
WINE = "Wine asks its server for everything: traced, a start of it takes minutes"
LEFT_OUT = {
    "tests/repro/test_repro_command_line.py": ON_PURPOSE,
    "tests/processes/test_examples.py::test_python_flawed_fails_now_and_then": ON_PURPOSE,
    "tests/processes/test_examples.py::test_typescript_flawed_fails_now_and_then_and_mended_never": ON_PURPOSE,
    "tests/processes/test_examples.py::test_go_flawed_fails_now_and_then_and_mended_never": ON_PURPOSE,
    "tests/e2e/test_wheel.py::test_the_demo_runs_from_the_wheel_in_another_folder": ON_PURPOSE,
    "tests/groupkill/test_windows.py": WINE,
    "tests/notebooks/test_notebooks.py::test_notebook_runs_and_draws[02_anatomy_of_a_flake]": TRACES,
    "tests/repro/test_repro_windows.py": WINE,
    "tests/sample_data/test_sample_project.py": ON_PURPOSE,
    "tests/sample_data/test_sample_windows.py": WINE,
    "tests/processes/test_backends.py::test_under_load_no_member_is_left_unnamed": LOADED,
    **dict.fromkeys(
        (
            "tests/groupkill/test_sweep.py::test_sweep_ends_and_reports_every_member[stopped]",
            "tests/groupkill/test_sweep.py::test_sweep_with_sigterm_wakes_stopped_members",
            "tests/processes/test_backends.py::test_strong_backends_end_every_tree[stopped-",
            "tests/processes/test_backends.py::test_partial_backends_name_whom_they_leave[process-group-stopped]",
            "tests/processes/test_backends.py::test_partial_backends_name_whom_they_leave[session-stopped]",
            "tests/processes/test_backends.py::test_partial_backends_name_whom_they_leave[process-tree-stopped]",
            "tests/processes/test_backends.py::test_partial_backends_name_whom_they_leave[naive-stopped]",
            "tests/processes/test_backends.py::test_sigterm_wakes_stopped_members_and_needs_no_escalation",
            "tests/processes/test_without_root.py::test_in_a_delegated_cgroup",
        ),
        STOPPED,
    ),
}
"""Files and tests (as far as their names begin so) that are not traced, and why."""
TRACERS = (
    "tests/processes/test_repro_tracer.py",
    "tests/processes/test_repro_without_ptrace.py",
    "tests/repro/test_stressors.py",
    "tests/trace/test_command.py",
    "tests/trace/test_live.py",
    "tests/trace/test_predict.py",
    "tests/trace/test_stops.py",
    "tests/trace/test_windows.py",
)
"""Many of their tests trace, or say who does; a process has one tracer at most, so these fail below a trace."""


@dataclass(frozen=True)
class Suite:
    """A command, where it runs, what it is called, and its line of the table."""

    name: str
    line: str
    command: tuple[str, ...]
    cwd: Path = ROOT

    @property
    def file(self) -> Path:
        """Return where its result is kept."""
        return KEPT / (self.name.replace("/", "__").replace(" ", "-") + ".json")


@dataclass
class Outcome:
    """What came out of one suite, as it is kept."""

    suite: str
    commit: str
    tests: int
    failed: list[str]
    exit_code: int | None
    timed_out: bool
    processes: int
    lines: int
    seconds: float
    findings: list[str] = field(default_factory=list)
    judged: str = ""
    """The commit whose rules have judged it; that of the trace unless it was judged again."""

    @property
    def tracing(self) -> list[str]:
        """Return the tests that failed because they need to trace themselves."""
        return self.failed if self.suite in TRACERS else []


def suites() -> list[Suite]:
    """Return all of them, those of the sample project first."""
    vitest = ("node", str(SAMPLE / "node_modules" / "vitest" / "vitest.mjs"), "run")
    waiting = tuple(f"tests/test_{name}.py" for name in WAITING)
    ours = sorted(str(file.relative_to(ROOT)) for file in (ROOT / "tests").glob("**/test_*.py"))
    return [
        Suite("sample pytest", "sample pytest", (*PYTEST, *waiting), SAMPLE),
        Suite("sample pytest xdist", "sample pytest, xdist", (*PYTEST, "-n2", *waiting), SAMPLE),
        Suite("sample vitest", "sample vitest", (*vitest, "polls", "duration", "exec-output"), SAMPLE),
        Suite(
            "sample vitest threads",
            "sample vitest, threads",
            (*vitest, "--pool=threads", "polls", "duration", "exec-output"),
            SAMPLE,
        ),
        *(Suite(file, _folder(file), _command(file)) for file in ours if file not in LEFT_OUT),
    ]


def _folder(file: str) -> str:
    return "own " + "/".join(file.split("/")[:2])


def _command(file: str) -> tuple[str, ...]:
    return (*PYTEST, *(f"--deselect={test}" for test in LEFT_OUT if test.startswith(f"{file}::")), file)


def run(suite: Suite, timeout_s: float, *, keep: bool) -> Outcome:
    """Trace one suite, keep what came out, and say it."""
    text = suite.file.with_suffix(".strace")
    with Path(os.devnull).open("wb") as quiet:
        result = trace(
            suite.command, cwd=suite.cwd, timeout_s=timeout_s, output_to=quiet.fileno(), save=text, strace=STRACE
        )
    outcome = _outcome(suite, result)
    if not outcome.findings and not keep:
        text.unlink()
    suite.file.write_text(json.dumps(asdict(outcome), indent=1), encoding="utf-8")
    said = [f"{suite.name}: {outcome.tests} tests, {outcome.processes} processes, {outcome.seconds:.0f} s"]
    said += ["    not at its end"] * outcome.timed_out + [f"    failed: {test}" for test in outcome.failed]
    said += [f"    {finding}" for finding in outcome.findings]
    print("\n".join(said), file=sys.stderr, flush=True)
    return outcome


def judge_again(suite: Suite, outcome: Outcome) -> None:
    """Judge the text that was kept of a suite by the rules as they are now, and say and keep what has changed."""
    text = suite.file.with_suffix(".strace")
    if not text.exists():
        return
    forgetting, reader = Forgetting(World(ENTERED, RETURNED)), Reader()
    with text.open("rb") as file:
        while piece := file.read(1 << 16):
            forgetting.consume_all(reader.feed(piece))
    before, outcome.findings, outcome.judged = len(outcome.findings), _told(find_all(forgetting.world)), _commit()
    suite.file.write_text(json.dumps(asdict(outcome), indent=1), encoding="utf-8")
    said = [f"{suite.name}: {before} findings before, {len(outcome.findings)} now"]
    print("\n    ".join([*said, *outcome.findings]), file=sys.stderr, flush=True)


def _told(findings: Iterable[Finding]) -> list[str]:
    found = []
    for finding in findings:
        test = finding.window.test if finding.window else "the run"
        place = f"{finding.look_mark.file}:{finding.look_mark.line}" if finding.look_mark else "no place"
        found.append(f"{finding.mechanism} in {test}, {place}: {finding.text}")
    return found


def _outcome(suite: Suite, result: TraceResult) -> Outcome:
    windows = list(result.world.windows)
    return Outcome(
        suite=suite.name,
        commit=_commit(),
        tests=len(windows),
        failed=[window.test for window in windows if window.failed],
        exit_code=result.exit_code,
        timed_out=result.timed_out,
        processes=result.world.born,
        lines=result.lines,
        seconds=result.wall_s,
        findings=_told(result.findings),
    )


def _commit() -> str:
    words = ["git", "rev-parse", "--short", "HEAD"]
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def kept(chosen: Iterable[Suite]) -> dict[str, Outcome]:
    """Return what there is of these suites, by name."""
    return {
        suite.name: Outcome(**json.loads(suite.file.read_text(encoding="utf-8")))
        for suite in chosen
        if suite.file.exists()
    }


def table(chosen: Sequence[Suite], outcomes: dict[str, Outcome]) -> str:
    """Return a line for each folder."""
    head = "| suite | files | tests | failed | of these need to trace | processes | lines of trace | s | findings |"
    rows = [head, "|" + "-|" * 9]
    for line in dict.fromkeys(suite.line for suite in chosen):
        of_line = [suite for suite in chosen if suite.line == line]
        done = [outcomes[suite.name] for suite in of_line if suite.name in outcomes]
        files = f"{len(done)} of {len(of_line)}" if len(done) < len(of_line) else str(len(done))
        found = Counter(finding.partition(" in ")[0] for one in done for finding in one.findings)
        cells = [
            line,
            files,
            sum(one.tests for one in done),
            sum(len(one.failed) for one in done),
            sum(len(one.tracing) for one in done),
            sum(one.processes for one in done),
            sum(one.lines for one in done),
            f"{sum(one.seconds for one in done):.0f}",
            ", ".join(f"{name} {count}" for name, count in found.items()) or "none",
        ]
        rows.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(rows)


def summary(chosen: Sequence[Suite], outcomes: dict[str, Outcome]) -> str:
    """Return the sums, what is not in them, and what they were measured on."""
    done = outcomes.values()
    found = sum(len(one.findings) for one in done)
    tests, processes = sum(one.tests for one in done), sum(one.processes for one in done)
    commits = ", ".join(sorted({one.commit for one in done}))
    judged = sorted({one.judged for one in done if one.judged})
    commits += f" ({sum(bool(one.judged) for one in done)} files judged again at {', '.join(judged)})" if judged else ""
    measured_on = f"{os.cpu_count()} CPUs, Linux {platform.release()}, Python {platform.python_version()}"
    measured_on += f", strace {'.'.join(map(str, STRACE.version))}"
    said = [f"{found} findings in {tests} tests and {processes} processes, at {commits}. {measured_on}."]
    failed = [test for one in done for test in one.failed if test not in one.tracing]
    cut = [one.suite for one in done if one.timed_out]
    missing = [suite.name for suite in chosen if suite.name not in outcomes]
    for words, names in (("Failed", failed), ("Not at their end", cut), ("Not traced yet", missing)):
        if names:
            said.append(f"{words}: {', '.join(names)}.")
    if LEFT_OUT:
        said.append("Left out, since it cannot be traced:")
        said.append("\n".join(f"- {name}: {why}" for name, why in LEFT_OUT.items()))
    return "\n\n".join(said)


def main() -> int:
    """Trace what is missing, print the table, and tell by the exit status whether there was no finding."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--suite", action="append", default=[], help="only those whose name contains this")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin no further suite after this time")
    parser.add_argument("--timeout", type=float, default=900.0, help="seconds for one suite")
    parser.add_argument("--jobs", type=int, default=2, help="suites at a time")
    parser.add_argument("--again", action="store_true", help="judge what was kept by the rules as they are now")
    parser.add_argument("--fresh", action="store_true", help="forget what was traced before")
    parser.add_argument("--keep", action="store_true", help="keep the text of strace for all suites")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    everything = suites()
    chosen = [one for one in everything if not options.suite or any(part in one.name for part in options.suite)]
    KEPT.mkdir(parents=True, exist_ok=True)
    for suite in chosen if options.fresh else ():
        suite.file.unlink(missing_ok=True)
    for suite in chosen if options.again else ():
        for outcome in kept([suite]).values():
            judge_again(suite, outcome)
    began = time.monotonic()
    missing = [suite for suite in chosen if not suite.file.exists() and not options.again]

    def one(suite: Suite) -> None:
        if time.monotonic() - began < options.seconds:
            run(suite, options.timeout, keep=options.keep)

    with ThreadPoolExecutor(options.jobs) as pool:
        list(pool.map(one, missing))
    outcomes = kept(everything)
    text = f"{table(everything, outcomes)}\n\n{summary(everything, outcomes)}\n"
    print(text)
    if options.write:
        write_section(PAGE, "healthy", text)
    if any(outcome.findings for outcome in outcomes.values()):
        return 1
    return 4 if len(outcomes) < len(everything) else 0


if __name__ == "__main__":
    raise SystemExit(main())
