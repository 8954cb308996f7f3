"""Trace every pair of tests/corpus/termination many times, and say how often the right mechanism was named.

    python benchmarks/trace_corpus.py [--flawed N] [--fixed N] [--jobs N] [--pair NAME]... [--write]

Flawed variants are traced until N of their traces passed (a trace of a failing run proves less), fixed ones N times.
Exit status 1 when a flawed variant of Python or Node is named in less than 95 % of its passing traces, or any fixed
variant has a finding. `--write` puts the table into benchmarks/trace.md. Two pairs are measured at a time: a trace
judges the order of events, so a neighbour costs only flawed runs that fail, which are run again; where all of them
failed, the pair is measured again without one.
"""

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from sections import write_section

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "corpus"))

from termination_corpus import Pair, load_pairs  # noqa: E402

from flakehunter.trace.command import find_strace  # noqa: E402
from flakehunter.trace.session import TraceResult, trace  # noqa: E402

WANTED_SHARE = 0.95
MEASURED_LANGUAGES = ("python", "node")
STRACE = find_strace()
PAGE = Path(__file__).with_name("trace.md")


@dataclass
class Row:
    """What came out for one pair."""

    pair: Pair
    passing: int = 0
    failing: int = 0
    named: int = 0
    others: Counter[str] = field(default_factory=Counter)
    slack_ms: list[float] = field(default_factory=list)
    fixed: int = 0
    fixed_failing: int = 0
    fixed_findings: Counter[str] = field(default_factory=Counter)
    traced_s: list[float] = field(default_factory=list)
    bare_s: list[float] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether this pair is as it must be."""
        named = self.passing > 0 and self.named >= WANTED_SHARE * self.passing
        return (named or self.pair.language not in MEASURED_LANGUAGES) and not self.fixed_findings

    def cells(self) -> list[str]:
        """Return the cells of its line in the table."""
        slack = f"{statistics.median(self.slack_ms):.1f}" if self.slack_ms else ""
        others = ", ".join(f"{name} {count}" for name, count in self.others.items())
        found = ", ".join(f"{name} {count}" for name, count in self.fixed_findings.items())
        ratio = statistics.median(self.traced_s) / statistics.median(self.bare_s) if self.bare_s else 0
        return [
            self.pair.name,
            self.pair.language,
            self.pair.mechanism,
            f"{self.named}/{self.passing}",
            str(self.failing),
            others,
            f"{self.pair.slack_ms:g}",
            slack,
            f"{sum(self.fixed_findings.values())}/{self.fixed}",
            found + (f" ({self.fixed_failing} failed)" if self.fixed_failing else ""),
            f"{statistics.median(self.traced_s) * 1000:.0f}",
            f"{ratio:.1f}",
        ]


HEAD = [
    "pair",
    "language",
    "mechanism",
    "named / passing traces",
    "failing traces",
    "also or instead",
    "designed slack ms",
    "slack ms, median",
    "fixed: traces with a finding",
    "which",
    "traced ms, median",
    "times the bare run",
]


def once(pair: Pair, variant: str, build: Path, quiet: int) -> TraceResult:
    """Trace one variant once."""
    return trace(pair.command(variant, build), timeout_s=60, output_to=quiet, strace=STRACE)


def measure(pair: Pair, build: Path, flawed: int, fixed: int, quiet: int) -> Row:
    """Trace both variants of a pair."""
    row = Row(pair)
    attempts = 0
    while row.passing < flawed and attempts < 5 * flawed:
        attempts += 1
        result = once(pair, "flawed", build, quiet)
        if result.exit_code != 0:
            row.failing += 1
            continue
        row.passing += 1
        names = [finding.mechanism for finding in result.findings]
        row.named += pair.mechanism in names
        row.others.update(str(name) for name in names if name is not pair.mechanism)
        if not names:
            row.others["nothing"] += 1
        row.slack_ms += [
            finding.slack_s * 1000
            for finding in result.findings
            if finding.slack_s is not None and finding.mechanism is pair.mechanism
        ]
    for number in range(fixed):
        result = once(pair, "fixed", build, quiet)
        row.fixed += 1
        row.traced_s.append(result.wall_s)
        row.fixed_failing += result.exit_code != 0
        row.fixed_findings.update(str(finding.mechanism) for finding in result.findings)
        if number % 17 == 0:
            row.bare_s.append(bare(pair.command("fixed", build)))
    return row


def bare(command: list[str]) -> float:
    """Return how long a command takes without strace."""
    started = time.monotonic()
    subprocess.run(command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.monotonic() - started


def table(rows: list[Row]) -> str:
    """Return the rows as a Markdown table."""
    lines = ["| " + " | ".join(HEAD) + " |", "|" + "-|" * len(HEAD)]
    lines += ["| " + " | ".join(row.cells()) + " |" for row in rows]
    return "\n".join(lines)


def main() -> int:
    """Measure, print the table, and tell by the exit status whether all holds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--flawed", type=int, default=20)
    parser.add_argument("--fixed", type=int, default=50)
    parser.add_argument("--pair", action="append", default=[])
    parser.add_argument("--jobs", type=int, default=2, help="pairs at a time")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    pairs = [pair for pair in load_pairs() if pair.tool_is_here and (not options.pair or pair.name in options.pair)]
    pairs.sort(key=lambda pair: "pytest" not in pair.name)  # the longest first, so that both lanes end together
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, Path(os.devnull).open("wb") as quiet:

        def one(pair: Pair) -> Row:
            row = measure(pair, Path(folder), options.flawed, options.fixed, quiet.fileno())
            print(" | ".join(row.cells()), file=sys.stderr, flush=True)
            return row

        with ThreadPoolExecutor(options.jobs) as pool:
            rows = list(pool.map(one, pairs))
        # A neighbour may make all flawed runs of a pair fail, which is what that pair is for: once more, alone.
        rows = [row if row.passing or options.jobs == 1 else one(row.pair) for row in rows]
    text = f"{table(rows)}\n\n{summary(rows)} {time.monotonic() - started:.0f} s on {machine()}.\n"
    print(text)
    if options.write:
        write_section(PAGE, "corpus", text)
    return 0 if all(row.holds for row in rows) else 1


def summary(rows: list[Row]) -> str:
    """Return the sums in words."""
    named, passing = sum(row.named for row in rows), sum(row.passing for row in rows)
    fixed = sum(row.fixed for row in rows)
    found = sum(sum(row.fixed_findings.values()) for row in rows)
    failed = [row.pair.name for row in rows if not row.holds]
    judged = f"{len(rows) - len(failed)} of {len(rows)} pairs hold" + (f"; not: {', '.join(failed)}" if failed else "")
    return f"Named: {named} of {passing} passing traces. Fixed: {found} findings in {fixed} traces. {judged}."


def machine() -> str:
    """Return what it ran on."""
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    version = ".".join(map(str, STRACE.version))
    python = platform.python_version()
    return f"{os.cpu_count()} CPUs (load {load}), Linux {platform.release()}, Python {python}, strace {version}"


if __name__ == "__main__":
    raise SystemExit(main())
