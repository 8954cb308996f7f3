"""What the labelled corpora say of texts, source, traces and reproductions, which simulated histories do not have."""

import math
import tomllib
from pathlib import Path

import numpy as np

from flakehunter.db.queries.failures import FailureText
from flakehunter.detect.rulebook import built_in
from flakehunter.detect.text import Readings, match_failures
from flakehunter.detect.weigh import Case, mechanism_shares, most_likely
from flakehunter.detect.weights import weights
from tests.corpus.scan_corpus import load

FAILURES = Path(__file__).resolve().parents[1] / "tests" / "detect" / "failures.toml"

BLIND = ((256, 506), (43, 526))
"""The table of blind sets in docs/scan.md, added up: flaws found of all, correct files with a false finding of all."""

SECTION = """## Text, source, traces and reproductions

Simulated histories have none of these, so their weights are bounds that were set by hand. What the labelled corpora of
the repository say of them (the rules have seen all of these files but the blind ones, so these are upper ends):

| evidence | corpus | measured |
| --- | --- | --- |
| a text that names a mechanism | {texts} failures, tests/detect/failures.toml | {text} |
| a finding of `scan` | {files} files, tests/corpus/scan | {scan} |
| a finding of `scan` | the blind sets of [Scan](scan.md) | {blind} |
| a finding of `trace` | tests/corpus/termination, benchmarks/trace.md | {trace} |
| a reproduction | tests/corpus/termination, benchmarks/repro.md | 33 of 33 flawed tests, no fixed one |

A flaw in the source is not yet a flake in the history: most flaws show under load alone. So a finding of `scan` is
worth an odds ratio of {scan_used:.0f} and not of {blind_ratio:.0f}, one of `trace` {trace_used:.0f}; neither makes a
test flaky that has not flaked."""


def corpora() -> str:
    """Return the section on the corpora."""
    right, false_alarms = text_corpus()
    files = scan_corpus()
    return SECTION.format(
        texts=right[1] + false_alarms[1],
        text=f"the right one in {right[0]} of {right[1]}, told {right[2]:.2f} on average; "
        f"one where there is none in {false_alarms[0]} of {false_alarms[1]}",
        files=files[0][1] + files[1][1],
        scan=_found(*files),
        blind=_found(*BLIND),
        trace="in 660 of 660 passing traces of flawed tests and none of 1,650 of fixed ones",
        scan_used=math.exp(weights().scan),
        blind_ratio=_ratio(*BLIND),
        trace_used=math.exp(weights().trace),
    )


def _found(flawed: tuple[int, int], correct: tuple[int, int]) -> str:
    return (
        f"{flawed[0]} of {flawed[1]} flaws, {correct[0]} of {correct[1]} correct files: "
        f"odds ratio {_ratio(flawed, correct):.0f}"
    )


def _ratio(flawed: tuple[int, int], correct: tuple[int, int]) -> float:
    """Return how much more often a finding comes with a flaw than without, by Jeffreys' rule (half a case a side)."""
    return (flawed[0] + 0.5) / (flawed[1] + 1.0) / ((correct[0] + 0.5) / (correct[1] + 1.0))


def text_corpus() -> tuple[tuple[int, int, float], tuple[int, int]]:
    """Return right, all and mean probability of failures with a mechanism; wrong and all of those without."""
    entries = tomllib.loads(FAILURES.read_text(encoding="utf-8"))["failure"]
    right, told, false_alarms, without = 0, [], 0, 0
    for entry in entries:
        text = FailureText(1, 1, b"f", 1, 1, 1, entry["type"], entry["message"], entry["detail"])
        matches = match_failures(Readings(built_in()), [text], "test_something")
        mechanism, p = most_likely(mechanism_shares(Case(executed=10, history=None, matches=matches)))
        if entry["mechanism"] == "none":
            without += 1
            false_alarms += mechanism is not None
        else:
            right += mechanism == entry["mechanism"]
            told.append(p or 0.0)
    return (right, len(told), float(np.mean(told))), (false_alarms, without)


def scan_corpus() -> tuple[tuple[int, int], tuple[int, int]]:
    """Return in how many of the flawed files the flaw is found, and in how many of the correct ones anything."""
    files = load()
    found = [(file, file.found()) for file in files]
    flawed = [bool(names & file.wanted) for file, names in found if file.wanted]
    correct = [bool(names) for file, names in found if not file.wanted]
    return (sum(flawed), len(flawed)), (sum(correct), len(correct))
