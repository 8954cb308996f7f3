"""What `repro` finds on each pair of tests/corpus/termination, from nothing known: `make corpus-repro`.

    python benchmarks/repro_corpus.py [NAME...] [--fresh] [--fixed-trials 100] [--parallel 4] [--no-write]

For each pair: the plan that the search found, its critical delay against the designed slack, failures of both variants
under that plan, how late the event may be in the fixed one, and what it cost. Each finished pair is kept in
.cache/corpus-repro.jsonl, so that an interrupted run goes on where it was (`--fresh` forgets them; a named pair
is examined again). At the end of a run over all pairs the table is put into benchmarks/repro.md and
docs/repro.md, between the marks. About 40 s a pair on a quiet machine; one whose trials take 2 s needs five minutes for
100 of them.
"""

import argparse
import json
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "corpus"))

from sections import write_section  # noqa: E402
from termination_corpus import Pair, load_pairs  # noqa: E402

from flakehunter.model import ReproVerdict, TrialOutcome  # noqa: E402
from flakehunter.repro.bench import Arm, Bench, TrialResult, start_nurseries  # noqa: E402
from flakehunter.repro.command import Command, plain_command  # noqa: E402
from flakehunter.repro.experiment import FIXED, Fix, Outcome, Request, run_experiment  # noqa: E402
from flakehunter.repro.machine import machine_facts  # noqa: E402
from flakehunter.repro.schedule import Rules  # noqa: E402
from flakehunter.repro.stressors import parse_stress  # noqa: E402

KEPT = ROOT / ".cache" / "corpus-repro.jsonl"
PAGES = (ROOT / "benchmarks" / "repro.md", ROOT / "docs" / "repro.md")
BUDGET_S = 400.0
TRIAL_LIMIT_S = 20.0
FLAWED_TRIALS = 20
RATE_OF_100 = 0.0365
"""R for which 100 trials without a failure are enough at 95 %, so that the fixed arm gets 100."""

GOAL_S, GOAL_CPU_S = 60.0, 30.0


class FirstFailure:
    """A recorder that keeps when the first failure came, and what it had cost."""

    def __init__(self) -> None:
        self.begin_s, self.own_cpu_s = time.monotonic(), time.process_time()
        self.bench: Bench | None = None
        self.wall_s: float | None = None
        self.cpu_s: float | None = None
        self.trials = 0

    def trial(self, result: TrialResult) -> None:
        """Note a failure of the test's own."""
        if self.wall_s is None:
            self.trials += 1
            if result.judgement.outcome is TrialOutcome.FAILED:
                self.wall_s, self.cpu_s = time.monotonic() - self.begin_s, self.cpu_now()

    def cpu_now(self) -> float:
        """Return the CPU seconds used so far, trials and harness together."""
        return time.process_time() - self.own_cpu_s + children_cpu_s()


def children_cpu_s() -> float:
    """Return the CPU seconds of living children of this process and of all that they have reaped."""
    own = Path("/proc/self/task").resolve().parent.name
    total = 0.0
    for child in Path(f"/proc/{own}/task/{own}/children").read_text().split():
        fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
        total += sum(int(word) for word in fields[11:15]) / 100
    return total


def examine(pair: Pair, build: Path, fixed_trials: int, parallel: int) -> dict[str, Any]:
    """Search, check and compare both variants of one pair; return its row."""
    flawed, fixed = (plain_command(pair.command(variant, build), pair.folder) for variant in ("flawed", "fixed"))
    rules = Rules(max_rate=RATE_OF_100, trials=None) if fixed_trials >= 100 else Rules(max_rate=0.3)
    request = Request(
        flawed, (Fix(FIXED, fixed),), None, rules, time_limit_s=TRIAL_LIMIT_S, budget_s=BUDGET_S, parallel=parallel
    )
    first = FirstFailure()
    with tempfile.TemporaryDirectory() as work:
        outcome = run_experiment(request, Path(work), first, lambda _arms, _elapsed: None)
    wall_s = time.monotonic() - first.begin_s
    flawed_counts = (0, 0)
    if outcome.plan is not None:
        with tempfile.TemporaryDirectory() as work:
            flawed_counts = under_plan(flawed, outcome.plan.stressor, Path(work), parallel)
    return row(pair, outcome, first, wall_s, flawed_counts)


def under_plan(command: Command, stressor: str, work: Path, parallel: int) -> tuple[int, int]:
    """Return (failures, trials) of `FLAWED_TRIALS` more trials under the plan."""
    arm = Arm("flawed", command, stressor)
    bench = Bench(work, FirstFailure(), lambda *_: None, time_limit_s=TRIAL_LIMIT_S, budget_s=BUDGET_S)
    with ExitStack() as stack:
        bench.nurseries, _ = start_nurseries([command], work, stack, warm=True, time_limit_s=TRIAL_LIMIT_S)
        left = FLAWED_TRIALS
        while left:
            left -= len(bench.trials(arm, parse_stress(stressor), min(left, parallel)))
    return arm.tally.failures, arm.tally.trials


def row(
    pair: Pair, outcome: Outcome, first: FirstFailure, wall_s: float, flawed_counts: tuple[int, int]
) -> dict[str, Any]:
    """Return what is kept of a pair."""
    plan, check = outcome.plan, outcome.checks[0]
    fixed = outcome.fixes[0].tally
    late = next((arm for arm in outcome.arms if arm.name == "late"), None)
    right = plan is not None and bool(
        plan.event == pair.event
        and plan.process.depth == pair.victim_depth
        and re.search(pair.victim_argv, plan.process.argv)
    )
    low, high = pair.slack_ms / 2 - 5, pair.slack_ms * 2 + 5
    return {
        "pair": pair.name,
        "designed": f"{pair.event} of `{pair.victim_argv}` (depth {pair.victim_depth})".replace("|", "\\|"),
        "slack_ms": pair.slack_ms,
        "plan": None if plan is None else plan.stressor,
        "found": None if plan is None else f"{plan.event} of process {plan.process.index}",
        "argv": None if plan is None else plan.process.argv[:60],
        "depth": None if plan is None else plan.process.depth,
        "right": right,
        "critical_ms": None if plan is None else round(plan.critical_delay_ms, 1),
        "within": plan is not None and low <= plan.critical_delay_ms <= high,
        "flawed": list(flawed_counts),
        "fixed": [fixed.failures + fixed.hangs, fixed.trials],
        "late": None if late is None else [late.tally.failures + late.tally.hangs, late.tally.trials],
        "survived_ms": None if check is None else check.survived_ms,
        "verdict": outcome.verdict.value,
        "first_failure_s": first.wall_s,
        "first_failure_cpu_s": first.cpu_s,
        "wall_s": round(wall_s, 1),
        "notes": list(outcome.notes),
    }


def holds(found: Mapping[str, Any]) -> bool:
    """Whether a pair's row is all that it has to be."""
    failures, trials = found["flawed"]
    return bool(
        found["right"]
        and found["within"]
        and trials
        and failures >= 0.95 * trials
        and found["fixed"][0] == 0
        and found["verdict"] == ReproVerdict.FIX_VERIFIED
        and found["first_failure_s"] <= GOAL_S
        and found["first_failure_cpu_s"] <= GOAL_CPU_S
    )


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the table in Markdown, with a summary above."""
    facts = machine_facts()
    costs = [found["first_failure_cpu_s"] for found in rows if found["first_failure_cpu_s"] is not None]
    median_s, most_s = (statistics.median(costs), max(costs)) if costs else (float("nan"), float("nan"))
    summary = (
        f"{sum(map(holds, rows))} of {len(rows)} pairs hold in every column. CPU-seconds to the first failure: median "
        f"{median_s:.1f}, most {most_s:.1f}. {facts['usable_cpus']} CPUs, {facts['system']} {facts['kernel']}, load "
        f"{facts['load'][0]:.1f} at the end."
    )
    head = (
        "| pair | designed: late event | winning plan | right | critical / slack, ms | flawed | fixed "
        "| fixed, 1-2 s late | verdict | first failure, s | CPU-s |"
    )
    lines = [summary, "", head, "|-|-|-|-|-|-|-|-|-|-|-|"]
    for found in rows:
        late = "-" if found["late"] is None else f"{found['late'][0]}/{found['late'][1]}"
        cost = [found[key] for key in ("first_failure_s", "first_failure_cpu_s")]
        shown = ["-" if value is None else f"{value:.1f}" for value in cost]
        lines.append(
            f"| {found['pair']} | {found['designed']} | `{found['plan']}` | {'yes' if found['right'] else 'no'} "
            f"| {found['critical_ms']} / {found['slack_ms']:g} | {found['flawed'][0]}/{found['flawed'][1]} "
            f"| {found['fixed'][0]}/{found['fixed'][1]} | {late} | {found['verdict']} | {shown[0]} | {shown[1]} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Examine the pairs that are not known yet, then print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--fresh", action="store_true")
    parser.add_argument("--fixed-trials", type=int, default=100)
    parser.add_argument("--parallel", type=int, default=4)
    parser.add_argument("--no-write", action="store_true")
    arguments = parser.parse_args()
    KEPT.parent.mkdir(exist_ok=True)
    if arguments.fresh and not arguments.names:
        KEPT.unlink(missing_ok=True)
    lines = KEPT.read_text().splitlines() if KEPT.exists() else []
    known = {found["pair"]: found for found in map(json.loads, lines)}
    pairs = [pair for pair in load_pairs() if not arguments.names or pair.name in arguments.names]
    with tempfile.TemporaryDirectory() as build, KEPT.open("a") as kept:
        for pair in pairs:
            if not pair.tool_is_here:
                print(f"{pair.name}: needs {pair.language}, left out", file=sys.stderr)
                continue
            if pair.name not in known or arguments.names:
                known[pair.name] = examine(pair, Path(build), arguments.fixed_trials, arguments.parallel)
                kept.write(json.dumps(known[pair.name]) + "\n")
                kept.flush()
            found = known[pair.name]
            print(
                f"{pair.name}: {'holds' if holds(found) else 'NOT'} in {found['wall_s']} s", file=sys.stderr, flush=True
            )
    text = table([known[pair.name] for pair in pairs if pair.name in known])
    print(text)
    if not arguments.no_write and not arguments.names:
        for page in PAGES:
            write_section(page, "corpus", text)


if __name__ == "__main__":
    main()
