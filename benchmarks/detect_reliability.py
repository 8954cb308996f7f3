"""Is a test with P(flaky) of 0.7 flaky in seven of ten cases? And which weights would make it so?

Run as `python -m benchmarks.detect_reliability`; it simulates histories of known truth, with and without outages, one
or two runs a commit and flake rates from 0.5 to 50 %, judges them with `detect`, and writes docs/reliability.md: a
reliability diagram, the Brier score, and the two weights of the history, learnt by logistic regression on half of the
histories and judged on the other half. About a minute for each of the `--seeds` on a quiet machine.
"""

import argparse
import math
import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.detect_history import Scenario, Simulated, simulate, write_database
from benchmarks.turns import in_turns
from flakehunter.db.engine import open_database, readonly
from flakehunter.db.queries.history import read_history
from flakehunter.detect.assess import detect
from flakehunter.detect.clusters import set_apart
from flakehunter.detect.history import summarise
from flakehunter.detect.weigh import PRIOR_FLAKY
from flakehunter.detect.weights import weights

WEIGHTS = Path(__file__).resolve().parents[1] / "flakehunter" / "detect" / "weights.toml"
REPORT = Path(__file__).resolve().parents[1] / "docs" / "reliability.md"
EDGES = (0.0, 0.05, 0.2, 0.4, 0.6, 0.8, 0.95, 1.0)
RATES = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)


@dataclass(frozen=True, slots=True)
class Cases:
    """Tests that failed at least once: (n,) log Bayes factor, P(flaky) as told, truth."""

    log_bayes: npt.NDArray[np.float64]
    told: npt.NDArray[np.float64]
    flaky: npt.NDArray[np.bool_]


def cases_of(history: Simulated) -> Cases:
    """Return what `detect` says of each test of a history that failed outside of outages, and the truth."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "simulated.db"
        write_database(history, path)
        url = f"sqlite:///{path}"
        told = {one.test.identity.name: one.weighed.p_flaky for one in detect(url).assessments}
        engine = open_database(url)
        with readonly(engine).connect() as connection:
            read, _ = set_apart(connection, read_history(connection, "default"))
        engine.dispose()
    summaries = summarise(read, p_flaky=PRIOR_FLAKY)
    names = dict(enumerate(history.names, start=1))
    rows = [(one.log_bayes_factor, told[names[test]], names[test] in history.flaky) for test, one in summaries.items()]
    columns = list(zip(*rows, strict=True))
    return Cases(np.array(columns[0]), np.array(columns[1]), np.array(columns[2], np.bool_))


def measure(scenario: Scenario) -> dict[str, list[float]]:
    """Return the cases of one history as a row to keep."""
    cases = cases_of(simulate(scenario))
    return {
        "log_bayes": cases.log_bayes.round(6).tolist(),
        "told": cases.told.round(9).tolist(),
        "flaky": cases.flaky.astype(float).tolist(),
    }


def scenarios(tests: int, commits: int) -> Iterator[Scenario]:
    """Yield histories with and without outages, and one or two runs a commit."""
    for per in (1, 2):
        for outages in (0, 3):
            yield Scenario(tests=tests, commits=commits, runs_per_commit=per, outages=outages, rates=RATES)


def joined(parts: Sequence[Cases]) -> Cases:
    """Return all cases as one."""
    return Cases(
        np.concatenate([part.log_bayes for part in parts]),
        np.concatenate([part.told for part in parts]),
        np.concatenate([part.flaky for part in parts]),
    )


def learn(cases: Cases) -> tuple[float, float]:
    """Return the prior and the weight of the log Bayes factor that fit best: logistic regression by Newton's method.

    The log Bayes factor is cut at +-20, beyond which it says the same; a weak prior (one pseudo-case a side) keeps
    separable data finite.
    """
    x = np.stack([np.ones(len(cases.flaky)), np.clip(cases.log_bayes, -20.0, 20.0)], axis=1)
    x = np.concatenate([x, [[1.0, 0.0], [1.0, 0.0]]])
    y = np.concatenate([cases.flaky.astype(float), [0.0, 1.0]])
    fitted = np.array([math.log(PRIOR_FLAKY / (1.0 - PRIOR_FLAKY)), 1.0])
    for _ in range(50):
        p = 1.0 / (1.0 + np.exp(-(x @ fitted)))
        gradient = x.T @ (y - p) - 1e-3 * fitted
        hessian = (x * (p * (1.0 - p))[:, None]).T @ x + 1e-3 * np.eye(2)
        step = np.linalg.solve(hessian, gradient)
        fitted = fitted + np.clip(step, -2.0, 2.0)
        if np.abs(step).max() < 1e-9:
            break
    return float(1.0 / (1.0 + math.exp(-fitted[0]))), float(fitted[1])


def brier(told: npt.NDArray[np.float64], flaky: npt.NDArray[np.bool_]) -> float:
    """Return the mean squared difference between what was told and what is. Source: Brier, Mon. Weather Rev. 78, 1."""
    return float(np.mean((told - flaky) ** 2))


def diagram(cases: Cases) -> list[str]:
    """Return the rows of the reliability diagram."""
    rows = ["| P(flaky) told | tests | told on average | really flaky |", "| --- | --- | --- | --- |"]
    for low, high in pairwise(EDGES):
        inside = (cases.told >= low) & ((cases.told < high) | (high == 1.0))
        if not inside.any():
            continue
        real = float(cases.flaky[inside].mean())
        bar = "█" * round(20 * real)
        rows.append(f"| {low:.2f}–{high:.2f} | {inside.sum()} | {cases.told[inside].mean():.3f} | {real:.3f} {bar} |")
    return rows


def report(train: Cases, test: Cases, what: str) -> tuple[str, float, float]:
    """Return the page, and the learnt prior and weight."""
    prior, slope = learn(train)
    odds = math.log(prior / (1.0 - prior)) + slope * np.clip(test.log_bayes, -20.0, 20.0)
    learnt = brier(1.0 / (1.0 + np.exp(-odds)), test.flaky)
    used = weights()
    lines = [
        "# How reliable P(flaky) is",
        "",
        f"Written by `python -m benchmarks.detect_reliability` on {what}.",
        "Only tests that failed at least once are counted. Histories carry no failure texts: the history alone speaks.",
        "",
        *diagram(test),
        "",
        f"Brier score: {brier(test.told, test.flaky):.4f}; 0 is perfect. Logistic regression on the other half of the",
        f"histories gives a prior of {prior:.3f} (in use: {used.prior_flaky:g}) and a weight of {slope:.2f} for the",
        f"log Bayes factor (in use: {used.history:g}); on this half these alone have a Brier score of {learnt:.4f}.",
        "",
    ]
    return "\n".join(lines), prior, slope


def write_weights(prior: float, slope: float) -> None:
    """Put the learnt weights into the data file."""
    source = WEIGHTS.read_text(encoding="utf-8")
    source = re.sub(r"(?m)^prior_flaky = .*$", f"prior_flaky = {prior:.3f}", source)
    WEIGHTS.write_text(re.sub(r"(?m)^history = .*$", f"history = {slope:.2f}", source), encoding="utf-8")


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tests", type=int, default=500)
    parser.add_argument("--commits", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=6, help="half of them to learn from")
    parser.add_argument("--seconds", type=float, default=math.inf, help="begin nothing after so many seconds")
    parser.add_argument("--rows", type=Path, default=Path(".cache/detect_reliability.jsonl"))
    parser.add_argument("--output", type=Path, default=REPORT)
    parser.add_argument("--write", action="store_true", help="put the learnt weights into weights.toml")
    options = parser.parse_args()
    work = [
        (
            f"{options.tests} × {options.commits}, seed {seed}, history {number}",
            partial(measure, replace(scenario, seed=100 * seed + number)),
        )
        for seed in range(1, options.seeds + 1)
        for number, scenario in enumerate(scenarios(options.tests, options.commits))
    ]
    rows = in_turns(options.rows, work, seconds=options.seconds)
    if rows is None:
        return
    parts: list[list[Cases]] = [[], []]
    for place, row in enumerate(rows):
        seed = 1 + place * options.seeds // len(rows)
        parts[seed % 2].append(
            Cases(np.array(row["log_bayes"]), np.array(row["told"]), np.array(row["flaky"], np.bool_))
        )
    what = f"{len(rows)} histories of {options.tests} tests and {options.commits} commits"
    text, prior, slope = report(joined(parts[1]), joined(parts[0]), what)
    if options.write:
        write_weights(prior, slope)
    options.output.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
