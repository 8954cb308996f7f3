"""Print what `repro` finds on each pair of tests/corpus/termination, from nothing known: `make corpus-repro`.

For each pair: the plan that the search found, its critical delay against the designed slack, failures of the flawed and
the fixed variant under that plan, and the seconds it took. NAME… as arguments picks pairs.
"""

import resource
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "corpus"))

from termination_corpus import Pair, load_pairs  # noqa: E402

from flakehunter.repro.command import plain_command  # noqa: E402
from flakehunter.repro.experiment import Arm, Outcome, Request, TrialResult, run_experiment  # noqa: E402
from flakehunter.repro.schedule import Rules  # noqa: E402

FIXED_TRIALS = 72
HEAD = "| pair | designed | found | critical / slack, ms | flawed | fixed | verdict | s | CPU-s |\n|-|-|-|-|-|-|-|-|-|"


class Nobody:
    """A recorder that keeps nothing."""

    def trial(self, result: TrialResult) -> None:
        """Forget the trial."""


def examine(pair: Pair, folder: Path) -> Outcome:
    """Search, then compare both variants under the plan."""
    flawed, fixed = (plain_command(pair.command(variant, folder), pair.folder) for variant in ("flawed", "fixed"))
    request = Request(flawed, fixed, None, Rules(trials=FIXED_TRIALS), time_limit_s=30.0, budget_s=240.0)
    with tempfile.TemporaryDirectory() as work:
        return run_experiment(request, Path(work), Nobody(), lambda _arms, _elapsed: None)


def row(pair: Pair, outcome: Outcome, wall_s: float, cpu_s: float) -> str:
    """Return the pair's line of the table."""
    plan = outcome.plan
    arms = {arm.name: arm for arm in outcome.arms}
    found = "none" if plan is None else f"{plan.event} of `{plan.process.argv[:40]}` (depth {plan.process.depth})"
    critical = "-" if plan is None else f"{plan.critical_delay_ms:.0f}"

    def counts(arm: Arm) -> str:
        return f"{arm.tally.failures}/{arm.tally.counts.trials}"

    return (
        f"| {pair.name} | {pair.event} of `{pair.victim_argv}` (depth {pair.victim_depth}) | {found} "
        f"| {critical} / {pair.slack_ms:g} | {counts(arms['flawed'])} | {counts(arms['fixed'])} "
        f"| {outcome.verdict.value} | {wall_s:.0f} | {cpu_s:.1f} |"
    )


def main() -> None:
    """Print the table."""
    print(HEAD, flush=True)
    with tempfile.TemporaryDirectory() as build:
        for pair in load_pairs():
            if (sys.argv[1:] and pair.name not in sys.argv[1:]) or not pair.tool_is_here:
                continue
            before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
            outcome = examine(pair, Path(build))
            used = resource.getrusage(resource.RUSAGE_CHILDREN)
            cpu_s = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
            print(row(pair, outcome, time.monotonic() - begin, cpu_s), flush=True)


if __name__ == "__main__":
    main()
