"""Compare the record in sample_data/runs with truth.json, straight from the XML and without flakehunter."""

import json
import xml.etree.ElementTree as ElementTree
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent.parent
RUNS = HERE / "runs"
TRUTH = HERE / "truth.json"
COMMITS = HERE / "commits.json"
JOBS = ("linux-pytest", "linux-vitest", "windows-pytest")
LEAST_RUNS = 60
LEAST_COMMITS = 12
LEAST_DISAGREEMENTS = 3

Name = tuple[str, str]
"""Class name and name of a test, as JUnit files have them."""


@dataclass(frozen=True, slots=True)
class Result:
    """One test in one JUnit file."""

    commit: str
    run: str
    """The run id, without the attempt."""
    attempt: int
    job: str
    test: Name
    outcome: str
    message: str


def read(runs: Path = RUNS) -> Iterator[Result]:
    """Give every result of the record, folder by folder."""
    for file in sorted(runs.glob("*/*/*/junit.xml")):
        commit, run_attempt, job = file.relative_to(runs).parts[:3]
        run, _, attempt = run_attempt.rpartition("-")
        for case in ElementTree.parse(file).iter("testcase"):
            outcome, message = _outcome(case)
            test = (case.get("classname", ""), case.get("name", ""))
            yield Result(commit, run, int(attempt), job, test, outcome, message)


def _outcome(case: ElementTree.Element) -> tuple[str, str]:
    for tag, outcome in (("failure", "failed"), ("error", "errored"), ("skipped", "skipped")):
        if (found := case.find(tag)) is not None:
            return outcome, found.get("message", "")
    return "passed", ""


@dataclass(frozen=True, slots=True)
class Rates:
    """What the record says of one test."""

    results: int
    bad: int
    disagreeing_commits: int
    """Commits at which the test has both passed and failed."""


def rates(results: Sequence[Result]) -> dict[Name, Rates]:
    """Count the results of every test, skipped ones left out."""
    outcomes: dict[Name, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    for result in results:
        if result.outcome != "skipped":
            outcomes[result.test][result.commit].append(result.outcome != "passed")
    return {
        test: Rates(
            sum(map(len, by_commit.values())),
            sum(map(sum, by_commit.values())),
            sum(len(set(bad)) == 2 for bad in by_commit.values()),
        )
        for test, by_commit in outcomes.items()
    }


def problems(results: Sequence[Result], truth: Mapping[str, Any], commits: Sequence[str]) -> list[str]:
    """Return what in the record contradicts `truth`; `commits` are short SHAs, oldest first."""
    known = {(test["classname"], test["name"]): test for test in truth["tests"]}
    counted = rates(results)
    found = _size_problems(results, commits)
    for test in sorted(known.keys() - counted.keys()):
        found.append(f"{'::'.join(test)}: not in the record")
    for test, seen in sorted(counted.items()):
        said = known.get(test, {"kind": "healthy"})
        name = "::".join(test)
        if said["kind"] in ("healthy", "fixed") and seen.bad:
            found.append(f"{name}: {said['kind']}, but {seen.bad} of {seen.results} results are bad")
        elif said["kind"] == "flawed" and seen.disagreeing_commits < LEAST_DISAGREEMENTS:
            found.append(f"{name}: flawed, but disagrees with itself at {seen.disagreeing_commits} commits only")
        if said["kind"] == "regressed":
            found.extend(_regression_problems(name, [r for r in results if r.test == test], said, commits))
        if "flaky_since" in said:
            before = set(commits[: said["flaky_since"] - 1])
            early = sum(r.outcome != "passed" for r in results if r.test == test and r.commit in before)
            if early:
                found.append(f"{name}: flaky since commit {said['flaky_since']}, but failed {early} times before")
    return found


def _size_problems(results: Sequence[Result], commits: Sequence[str]) -> list[str]:
    found = []
    runs = {(result.commit, result.run) for result in results}
    if len(runs) < LEAST_RUNS:
        found.append(f"{len(runs)} runs, fewer than {LEAST_RUNS}")
    if len(commits) < LEAST_COMMITS or {result.commit for result in results} != set(commits):
        found.append(f"the commits of the record are not the {len(commits)} of the history")
    for commit, run in sorted(runs):
        jobs = {r.job for r in results if (r.commit, r.run, r.attempt) == (commit, run, 1)}
        if jobs != set(JOBS):
            found.append(f"{commit}/{run}: jobs {sorted(jobs)}")
    return found


def _regression_problems(
    name: str, results: Sequence[Result], said: Mapping[str, Any], commits: Sequence[str]
) -> list[str]:
    broken = set(commits[said["broken_from"] - 1 : said["mended_by"] - 1])
    wrong = [r for r in results if (r.outcome != "passed") != (r.commit in broken)]
    return [f"{name}: {r.outcome} at {r.commit} in {r.job}" for r in wrong]


def load_truth() -> dict[str, Any]:
    """Return truth.json."""
    document: dict[str, Any] = json.loads(TRUTH.read_text(encoding="utf-8"))
    return document


def recorded_commits() -> list[str]:
    """Return the short SHAs of the record, oldest first."""
    return [commit["sha"][:12] for commit in json.loads(COMMITS.read_text(encoding="utf-8"))]
