"""How well `detect` tells flakes from regressions, outages, new and renamed tests, on histories of known truth.

Run as `python -m benchmarks.detect_simulated --large --write`; puts one row a scenario into benchmarks/detect.md. With
`--seconds 300` it stops after some five minutes and goes on where it was when it is called again.
"""

import argparse
import math
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from benchmarks.detect_history import Scenario, Simulated, simulate, write_database
from benchmarks.sections import machine, write_section
from benchmarks.turns import in_turns
from flakehunter.detect.assess import detect

OUTAGES = 3
PAGE = Path(__file__).with_name("detect.md")


@dataclass(frozen=True, slots=True)
class Score:
    """How a set of names compares with the truth."""

    called: int
    right: int
    flaky: int
    missed: tuple[str, ...]
    regressed_called: int
    regressed: int

    @property
    def precision(self) -> float:
        """Return the share of the called that are flaky; 1 when nothing is called."""
        return self.right / self.called if self.called else 1.0

    @property
    def recall(self) -> float:
        """Return the share of the flaky that are called."""
        return self.right / self.flaky if self.flaky else 1.0


def score(history: Simulated, called: set[str]) -> Score:
    """Compare the names called flaky with the truth."""
    truth = history.flaky
    regressed = {name for name, bad in zip(history.names, history.regressed, strict=True) if bad}
    missed = tuple(sorted(truth - called))
    return Score(len(called), len(called & truth), len(truth), missed, len(called & regressed), len(regressed))


def ours(history: Simulated) -> tuple[set[str], float]:
    """Return what `detect` calls flaky, and the processor seconds that it took."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "simulated.db"
        write_database(history, path)
        start = time.process_time()
        detection = detect(f"sqlite:///{path}")
        return {one.test.identity.name for one in detection.flaky}, time.process_time() - start


def scenarios(*, large: bool) -> Iterator[tuple[str, Scenario]]:
    """Yield the scenarios of the comparison, with names."""
    sizes = [(500, 400)] + ([(2000, 500)] if large else [])
    for tests, commits in sizes:
        for per in (2, 1):
            for outages in (0, OUTAGES):
                base = Scenario(tests=tests, commits=commits, runs_per_commit=per, outages=outages)
                name = f"{tests} × {commits}, {per} a commit" + (f", {outages} outages" if outages else "")
                yield name, base
                yield f"{name}, rates 0.5 %", replace(base, rates=(0.005,))
            hit = Scenario(tests=tests, commits=commits, runs_per_commit=per, partial_outages=OUTAGES)
            yield f"{tests} × {commits}, {per} a commit, {OUTAGES} partial outages", hit


def measure(scenario: Scenario) -> dict[str, int | float]:
    """Return what `detect` makes of one history: tests by what they are and what they are called, and seconds."""
    history = simulate(scenario)
    called, took = ours(history)
    one = score(history, called)
    counts = {name: getattr(one, name) for name in ("called", "right", "flaky", "regressed_called", "regressed")}
    return counts | {"seconds": round(took, 1)}


def table(rows: Mapping[str, Mapping[str, float]], names: Sequence[str], seeds: int) -> list[str]:
    """Return the Markdown rows, each the sum over the seeds that were run."""
    lines = [
        "| history | seeds | precision | recall | regressed called flaky | CPU-s |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name in names:
        part = [rows[key] for seed in range(1, seeds + 1) if (key := f"{name}, seed {seed}") in rows]
        if not part:
            lines.append(f"| {name} | not run | | | | |")
            continue
        total = {key: int(sum(row[key] for row in part)) for key in part[0] if key not in ("key", "seconds")}
        precision = total["right"] / total["called"] if total["called"] else 1.0
        recall, seconds = total["right"] / total["flaky"], max(row["seconds"] for row in part)
        lines.append(
            f"| {name} | {len(part)} | {precision:.3f} | {recall:.3f} | {total['regressed_called']} of "
            f"{total['regressed']} | {seconds:.1f} |"
        )
    return lines


def main() -> None:
    """Print precision and recall for every scenario, summed over seeds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--large", action="store_true", help="2,000 tests × 500 commits too")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=math.inf, help="begin nothing after so many seconds")
    parser.add_argument("--rows", type=Path, default=Path(".cache/detect_simulated.jsonl"))
    parser.add_argument("--write", action="store_true", help="put the table into benchmarks/detect.md")
    options = parser.parse_args()
    named = list(scenarios(large=options.large))
    work = [
        (f"{name}, seed {seed}", partial(measure, replace(scenario, seed=seed)))
        for name, scenario in named
        for seed in range(1, options.seeds + 1)
    ]
    rows = in_turns(options.rows, work, seconds=options.seconds)
    lines = table(rows, [name for name, _ in named], options.seeds)
    print("\n".join(lines))
    if options.write:
        text = f"The seeds of a history are added up; CPU-seconds of the longest `detect` of them. {machine()}\n\n"
        write_section(PAGE, "detect_simulated", text + "\n".join(lines))


if __name__ == "__main__":
    main()
