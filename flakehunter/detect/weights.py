"""The weights of the evidence, from weights.toml beside this file."""

import math
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources

PLAIN = ("prior_flaky", "history", "unproven", "prior_unfailed")
"""Weights that are no odds ratios."""


@dataclass(frozen=True, slots=True)
class Weights:
    """What each piece of evidence adds, in natural log-odds, but for the first four."""

    prior_flaky: float
    """Probability that a test which has failed at least once is flaky."""
    history: float
    """Factor of the history model's log Bayes factor."""
    unproven: float
    """Highest probability with one lone streak of failures and neither same-commit proof nor a reproduction."""
    prior_unfailed: float
    """Probability that a test which has never failed outside of outages is flaky."""
    text: float
    """A text of weight 1: broken tests of such code show the same words, only not as often."""
    scan: float
    """A finding of score 1 in the source."""
    trace: float
    """A finding of score 1 in a traced run."""
    reproduced: float
    """A test that failed in some trials and passed in others of one experiment is flaky by definition."""
    load: float
    """Failing under load, for each mechanism that waits for too little time, against the others."""


@cache
def weights() -> Weights:
    """Read the weights; once a process."""
    source = (resources.files("flakehunter.detect") / "weights.toml").read_text(encoding="utf-8")
    values = {name: float(value) for name, value in tomllib.loads(source).items()}
    ratios = {name: math.log(value) for name, value in values.items() if name not in PLAIN}
    return Weights(**{name: values[name] for name in PLAIN}, **ratios)
