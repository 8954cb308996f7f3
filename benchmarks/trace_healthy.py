"""Trace suites that are healthy, one run each, and say what `flakehunter trace` finds in them: it should be nothing.

    python benchmarks/trace_healthy.py [--suite NAME]... [--write]

The suites are flakehunter's own tests, folder by folder, and the waiting tests of the sample project (pytest, vitest).
Left out are the files whose tests trace or are stopped by ptrace(2) themselves, since a process has one tracer at most,
those that run flawed tests on purpose or a Wine, and tests that stop processes.
Exit status 1 when there is a finding; `--write` puts the table into benchmarks/trace.md.
"""

import argparse
import os
import platform
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sections import write_section

from flakehunter.trace.session import TraceResult, trace

ROOT = Path(__file__).resolve().parent.parent
PAGE = Path(__file__).with_name("trace.md")
SAMPLE = ROOT / "sample_data" / "project"
PYTEST = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider")
TRACERS = (
    "tests/processes/test_repro_kill.py",
    "tests/processes/test_repro_stressors.py",
    "tests/processes/test_repro_tracer.py",
    "tests/processes/test_repro_trials.py",
    "tests/processes/test_repro_without_ptrace.py",
    "tests/repro/test_stressors.py",
    "tests/trace/test_command.py",
    "tests/trace/test_live.py",
    "tests/trace/test_predict.py",
    "tests/trace/test_stops.py",
    "tests/trace/test_windows.py",
)
"""They use ptrace(2) or strace themselves."""
WINE = ("tests/groupkill/test_windows.py",)
"""Wine asks its server for everything: traced, a start of it takes minutes."""
FLAWED = ("tests/repro/test_repro_command_line.py",)
"""They run flawed tests on purpose, and a trace names them."""
NO_STOPS = ("-k", "not stopped and not stops")
"""A tracer sees every stop first: tests that stop processes go another way below one."""
FOLDERS = ("cli", "corpus", "db", "detect", "groupkill", "ingest", "processes", "repro", "scan", "stats", "trace")
WAITING = ("abort_polls", "agent_waits", "backoff", "job", "journal", "pool_waits", "spec")


@dataclass(frozen=True)
class Suite:
    """A command, where it runs, and what it is called in the table."""

    name: str
    command: tuple[str, ...]
    cwd: Path = ROOT


def suites() -> list[Suite]:
    """Return all of them."""
    ignored = tuple(f"--ignore={file}" for file in (*TRACERS, *WINE, *FLAWED))
    vitest = ("node", str(SAMPLE / "node_modules" / "vitest" / "vitest.mjs"), "run")
    return [
        Suite("sample pytest", (*PYTEST, *(f"tests/test_{name}.py" for name in WAITING)), SAMPLE),
        Suite("sample vitest", (*vitest, "polls", "duration", "exec-output"), SAMPLE),
        Suite("sample vitest, threads", (*vitest, "--pool=threads", "polls", "duration", "exec-output"), SAMPLE),
        Suite("sample pytest, xdist", (*PYTEST, "-n2", *(f"tests/test_{name}.py" for name in WAITING)), SAMPLE),
        *(Suite(f"own tests/{folder}", (*PYTEST, *ignored, *NO_STOPS, f"tests/{folder}")) for folder in FOLDERS),
    ]


def row(suite: Suite, result: TraceResult) -> str:
    """Return the line of one suite in the table."""
    windows = list(result.world.windows)
    failed = sum(window.failed is True for window in windows)
    found = ", ".join(f"{one.mechanism} in {one.window.test if one.window else 'the run'}" for one in result.findings)
    cells = [suite.name, len(windows), failed, result.exit_code, len(result.world.processes), result.lines]
    return "| " + " | ".join(map(str, [*cells, f"{result.wall_s:.0f}", found or "none"])) + " |"


def run(chosen: Sequence[Suite], timeout_s: float) -> tuple[list[str], int]:
    """Trace the suites one after the other; return the lines of the table and how many findings there were."""
    lines, findings = [], 0
    for suite in chosen:
        with Path(os.devnull).open("wb") as quiet:
            result = trace(suite.command, cwd=suite.cwd, timeout_s=timeout_s, output_to=quiet.fileno())
        lines.append(row(suite, result))
        findings += len(result.findings)
        print(lines[-1], file=sys.stderr, flush=True)
        for window in result.world.windows:
            if window.failed:
                print(f"    failed: {window.test}", file=sys.stderr, flush=True)
        for finding in result.findings:
            place = f"{finding.look_mark.file}:{finding.look_mark.line}" if finding.look_mark else ""
            print(f"    {place} {finding.text}", file=sys.stderr, flush=True)
    return lines, findings


def main() -> int:
    """Trace, print the table, and tell by the exit status whether there was no finding."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--suite", action="append", default=[], help="only those whose name contains this")
    parser.add_argument("--timeout", type=float, default=900.0, help="seconds for one suite")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    chosen = [one for one in suites() if not options.suite or any(part in one.name for part in options.suite)]
    started = time.monotonic()
    lines, findings = run(chosen, options.timeout)
    head = "| suite | tests | failed | exit code | processes | lines of trace | s | findings |\n|-|-|-|-|-|-|-|-|"
    machine = f"{os.cpu_count()} CPUs, Linux {platform.release()}, Python {platform.python_version()}"
    text = f"{head}\n" + "\n".join(lines)
    text += f"\n\n{findings} findings in {time.monotonic() - started:.0f} s. Measured on {machine}.\n"
    print(text)
    if options.write:
        write_section(PAGE, "healthy", text)
    return 1 if findings else 0


if __name__ == "__main__":
    raise SystemExit(main())
