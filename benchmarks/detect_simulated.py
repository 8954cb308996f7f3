"""How well `detect` tells flakes from regressions, outages, new and renamed tests, on histories of known truth.

Run as `python -m benchmarks.detect_simulated`; prints one Markdown row a scenario.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.detect_history import Scenario, Simulated, simulate, write_database
from flakehunter.detect.assess import detect

OUTAGES = 3


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
    """Return what `detect` calls flaky, and its time in seconds."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'simulated.db'}"
        write_database(history, url)
        start = time.perf_counter()
        detection = detect(url)
        return {one.test.identity.name for one in detection.flaky}, time.perf_counter() - start


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
            partial = Scenario(tests=tests, commits=commits, runs_per_commit=per, partial_outages=OUTAGES)
            yield f"{tests} × {commits}, {per} a commit, {OUTAGES} partial outages", partial


def main() -> None:
    """Print precision and recall for every scenario, summed over seeds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--large", action="store_true", help="2,000 tests × 500 commits too")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    print("| history | precision | recall | regressed called flaky | seconds |")
    print("| --- | --- | --- | --- | --- |")
    for name, scenario in scenarios(large=options.large):
        scores, seconds = [], 0.0
        for seed in range(1, options.seeds + 1):
            history = simulate(replace(scenario, seed=seed))
            called, took = ours(history)
            scores.append(score(history, called))
            seconds = max(seconds, took)
        called_all, right = sum(one.called for one in scores), sum(one.right for one in scores)
        flaky = sum(one.flaky for one in scores)
        regressed = f"{sum(one.regressed_called for one in scores)} of {sum(one.regressed for one in scores)}"
        precision = right / called_all if called_all else 1.0
        print(f"| {name} | {precision:.3f} | {right / flaky:.3f} | {regressed} | {seconds:.1f} |", flush=True)


if __name__ == "__main__":
    main()
