"""Is a test with P(flaky) of 0.7 flaky in seven of ten cases? And which weights would make it so?

Run as `python -m benchmarks.detect_reliability --seconds 200`, again until nothing is left; it simulates histories of
known truth, with and without outages, one or two runs a commit and flake rates from 0.5 to 50 %, judges them with
`detect`, and writes docs/reliability.md: a reliability diagram, the Brier score, the weights of the history, learnt on
half of the histories and judged on the other half, and what the labelled corpora say of text rules and scan. About 4
CPU-seconds a history. What was measured of a history (the evidence and the truth) holds for any weights: the page is
made anew from the kept rows.
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

from benchmarks.detect_corpora import corpora
from benchmarks.detect_history import Scenario, Simulated, simulate, write_database
from benchmarks.turns import Row, in_turns
from flakehunter.db.engine import open_database, readonly
from flakehunter.db.queries.history import read_history
from flakehunter.detect.assess import detect
from flakehunter.detect.clusters import set_apart
from flakehunter.detect.history import summarise
from flakehunter.detect.weigh import PRIOR_FLAKY
from flakehunter.detect.weights import weights

WEIGHTS = Path(__file__).resolve().parents[1] / "flakehunter" / "detect" / "weights.toml"
REPORT = Path(__file__).resolve().parents[1] / "docs" / "reliability.md"
KINDS = (np.float64, np.float64, np.bool_, np.bool_)
MOST = 20.0
EDGES = (0.0, 0.05, 0.2, 0.4, 0.6, 0.8, 0.95, 1.0)
RATES = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)


@dataclass(frozen=True, slots=True)
class Cases:
    """Tests that failed at least once: (n,) log Bayes factor, P(flaky) as told, truth, and whether it is proven."""

    log_bayes: npt.NDArray[np.float64]
    told: npt.NDArray[np.float64]
    flaky: npt.NDArray[np.bool_]
    proven: npt.NDArray[np.bool_]
    """Both outcomes at one commit, or two short failures: without them P(flaky) has an upper end."""


@dataclass(frozen=True, slots=True)
class Learnt:
    """Weights that fit best, as in weights.toml."""

    prior_flaky: float
    history: float
    unproven: float

    def p_flaky(self, cases: Cases) -> npt.NDArray[np.float64]:
        """Return what `detect` would say with these weights, from the history alone."""
        odds = _logit(self.prior_flaky) + self.history * np.clip(cases.log_bayes, -MOST, MOST)
        odds = np.where(cases.proven, odds, np.minimum(odds, _logit(self.unproven)))
        told: npt.NDArray[np.float64] = 1.0 / (1.0 + np.exp(-odds))
        return told


def cases_of(history: Simulated) -> Cases:
    """Return what `detect` says of each test of a history that failed outside of outages, and the truth."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "simulated.db"
        write_database(history, path)
        url = f"sqlite:///{path}"
        told = {one.test.identity.name: one.weighed.p_flaky for one in detect(url).assessments}
        engine = open_database(url)
        with readonly(engine).connect() as connection:
            read, bad_runs = set_apart(connection, read_history(connection, "default"))
        engine.dispose()
    summaries = summarise(read, p_flaky=PRIOR_FLAKY)
    names = dict(enumerate(history.names, start=1))
    rows = [
        (
            one.log_bayes_factor,
            told[names[test]],
            names[test] in history.flaky,
            one.has_proof or one.short_streaks + sum(test in run.tests for run in bad_runs) >= 2,
        )
        for test, one in summaries.items()
    ]
    columns = list(zip(*rows, strict=True))
    return Cases(*(np.array(column, kind) for column, kind in zip(columns, KINDS, strict=True)))


def measure(scenario: Scenario) -> dict[str, list[float]]:
    """Return the cases of one history as a row to keep."""
    cases = cases_of(simulate(scenario))
    return {
        "log_bayes": cases.log_bayes.round(6).tolist(),
        "told": cases.told.round(9).tolist(),
        "flaky": cases.flaky.astype(float).tolist(),
        "proven": cases.proven.astype(float).tolist(),
    }


def weighed(row: Row) -> Cases:
    """Return the cases of a row with what the weights in use make of them, whichever it was made with."""
    columns = [row[name] for name in ("log_bayes", "told", "flaky", "proven")]
    cases = Cases(*(np.array(column, kind) for column, kind in zip(columns, KINDS, strict=True)))
    return replace(cases, told=in_use().p_flaky(cases))


def in_use() -> Learnt:
    """Return the weights of weights.toml."""
    return Learnt(weights().prior_flaky, weights().history, weights().unproven)


def scenarios(tests: int, commits: int) -> Iterator[Scenario]:
    """Yield histories with and without outages, and one or two runs a commit."""
    for per in (1, 2):
        for outages in (0, 3):
            yield Scenario(tests=tests, commits=commits, runs_per_commit=per, outages=outages, rates=RATES)


def joined(parts: Sequence[Cases]) -> Cases:
    """Return all cases as one."""
    names = ("log_bayes", "told", "flaky", "proven")
    return Cases(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def learn(cases: Cases) -> Learnt:
    """Return the prior, the weight of the log Bayes factor and the upper end without proof that fit best.

    By greatest likelihood (logistic regression with an upper end), from several beginnings. A log Bayes factor beyond
    +-20 says the same; a weak prior (one pseudo-case a side, and a weight near 1) keeps separable data finite.
    """
    from scipy.optimize import minimize

    def loss(values: npt.NDArray[np.float64]) -> float:
        prior, most = _expit(values[[0, 2]])
        told = np.clip(Learnt(prior, values[1], most).p_flaky(cases), 1e-12, 1.0)
        likelihood = np.log(np.where(cases.flaky, told, 1.0 - np.minimum(told, 1.0 - 1e-12))).sum()
        ends = np.log([prior, most, 1.0 - prior, 1.0 - most]).sum()
        return float(-likelihood - ends + 0.5 * (values[1] - 1.0) ** 2)

    begins = [(_logit(prior), 1.0, _logit(most)) for prior in (0.05, 0.3) for most in (0.2, 0.4)]
    fits = [minimize(loss, begin, method="Nelder-Mead", options={"maxiter": 2000}) for begin in begins]
    prior, history, unproven = min(fits, key=lambda fit: float(fit.fun)).x
    ends = _expit(np.array([prior, unproven]))
    return Learnt(float(ends[0]), float(history), float(ends[1]))


def _logit(probability: float) -> float:
    return math.log(probability / (1.0 - probability))


def _expit(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    result: npt.NDArray[np.float64] = 1.0 / (1.0 + np.exp(-values))
    return result


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


PAGE = """# How reliable P(flaky) is

Written by `python -m benchmarks.detect_reliability` on {what}.
Only tests that failed at least once outside of outages are counted. These histories carry no failure texts: the history
alone speaks. The table is of the half from which nothing was learnt.

{diagram}

Brier score: {told:.4f}; 0 is perfect, and to say {share:.0%} of every test, which is their share, {blind:.4f}.

## Weights learnt on the other half

| weight | in use | learnt |
| --- | ---: | ---: |
| P(flaky) of a test that has failed (`prior_flaky`) | {used.prior_flaky:g} | {learnt.prior_flaky:.3f} |
| factor of the log Bayes factor (`history`) | {used.history:g} | {learnt.history:.2f} |
| highest P(flaky) without proof (`unproven`) | {used.unproven:g} | {learnt.unproven:.2f} |
| Brier score with them | {used_score:.4f} | {learnt_score:.4f} |

The learnt prior is that of these histories, in which {share:.0%} of the tests that failed are flaky. What that share is
in a project nobody knows beforehand; a low prior errs on the side of not calling a regression flaky.

{corpora}
"""


def report(train: Cases, test: Cases, what: str) -> tuple[str, Learnt]:
    """Return the page, and the learnt weights."""
    learnt, used = learn(train), in_use()
    share = float(train.flaky.mean())
    page = PAGE.format(
        what=what,
        diagram="\n".join(diagram(test)),
        told=brier(test.told, test.flaky),
        share=share,
        blind=brier(np.full(len(test.flaky), share), test.flaky),
        used=used,
        learnt=learnt,
        used_score=brier(used.p_flaky(test), test.flaky),
        learnt_score=brier(learnt.p_flaky(test), test.flaky),
        corpora=corpora(),
    )
    return page, learnt


def write_weights(learnt: Learnt) -> None:
    """Put the learnt weights into the data file."""
    source = WEIGHTS.read_text(encoding="utf-8")
    for name, value in (
        ("prior_flaky", f"{learnt.prior_flaky:.3f}"),
        ("history", f"{learnt.history:.2f}"),
        ("unproven", f"{learnt.unproven:.2f}"),
    ):
        source = re.sub(rf"(?m)^{name} = .*$", f"{name} = {value}", source)
    WEIGHTS.write_text(source, encoding="utf-8")


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
    if len(rows) < len(work):
        return
    parts: list[list[Cases]] = [[], []]
    for place, (key, _) in enumerate(work):
        seed = 1 + place * options.seeds // len(rows)
        parts[seed % 2].append(weighed(rows[key]))
    what = f"{len(rows)} histories of {options.tests} tests and {options.commits} commits"
    text, learnt = report(joined(parts[1]), joined(parts[0]), what)
    if options.write:
        write_weights(learnt)
    options.output.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
