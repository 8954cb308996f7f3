"""Simulated CI histories whose truth is known, as arrays, as a database, and as JUnit files."""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.sax.saxutils import quoteattr

import numpy as np
import numpy.typing as npt

from flakehunter.db.engine import open_database
from flakehunter.model import TestIdentity

START = datetime(2026, 1, 5, tzinfo=UTC)
ABSENT, PASSED, FAILED = -1, 0, 1


@dataclass(frozen=True, slots=True)
class Scenario:
    """What happens in a history."""

    tests: int = 500
    commits: int = 400
    runs_per_commit: int = 2
    outages: int = 0
    """Runs in which everything fails."""
    partial_outages: int = 0
    """Runs in which a random third of the tests fails."""
    rates: tuple[float, ...] = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
    """Rates of the flaky tests, each used equally often."""
    flaky: float = 0.06
    """Share of the tests that are flaky; a third of them since some commit in the first two thirds."""
    regressions: float = 0.1
    """Share of the tests that are broken once or twice, for 1 to 12 commits; half of them together with others."""
    new: float = 0.05
    """Share of the tests that are added on the way; a quarter of them never pass."""
    renamed: float = 0.04
    """Share of the tests that get another name on the way."""
    seed: int = 1

    @property
    def runs(self) -> int:
        """Return how many runs there are."""
        return self.commits * self.runs_per_commit


@dataclass(frozen=True, slots=True)
class Simulated:
    """A history: outcomes (tests, runs), runs in order of time; run r is at commit r // runs_per_commit."""

    scenario: Scenario
    names: list[str]
    outcomes: npt.NDArray[np.int8]
    rate: npt.NDArray[np.float64]
    """(tests,) flake rate; 0 for tests that are not flaky."""
    regressed: npt.NDArray[np.bool_]
    outage_runs: list[int] = field(default_factory=list)

    @property
    def flaky(self) -> set[str]:
        """Return the names of the flaky tests, but for those that never failed outside of an outage.

        Nothing tells these from healthy tests: a test of 1 % that has 340 runs passes all of them once in 30 times.
        """
        failed = (np.delete(self.outcomes, self.outage_runs, axis=1) == FAILED).any(axis=1)
        return {name for name, rate, seen in zip(self.names, self.rate, failed, strict=True) if rate > 0 and seen}

    def commit(self, run: int) -> str:
        """Return the name of a run's commit."""
        return f"{run // self.scenario.runs_per_commit:04d}aaaa"


def simulate(scenario: Scenario) -> Simulated:
    """Return a history for `scenario`; the same seed gives the same history."""
    random = np.random.default_rng(scenario.seed)
    tests, runs, per = scenario.tests, scenario.runs, scenario.runs_per_commit
    outcomes = np.zeros((tests, runs), np.int8)
    rate = np.zeros(tests)
    order = random.permutation(tests)
    flaky = order[: round(scenario.flaky * tests)]
    rate[flaky] = np.resize(scenario.rates, len(flaky))
    for number, test in enumerate(flaky):
        since = int(random.integers(0, scenario.commits * 2 // 3)) * per if number % 3 == 0 else 0
        outcomes[test, since:] = random.random(runs - since) < rate[test]
    regressed = np.zeros(tests, np.bool_)
    broken = order[len(flaky) : len(flaky) + round(scenario.regressions * tests)]
    together: list[tuple[int, int]] = []
    for number, test in enumerate(broken):
        regressed[test] = True
        for _ in range(1 + number % 2):
            start, length = int(random.integers(1, scenario.commits - 14)), int(random.integers(1, 13))
            if number % 2 and together:
                start, length = together[-1]
            together.append((start, length))
            outcomes[test, start * per : (start + length) * per] = FAILED
    for number, test in enumerate(random.permutation(tests)[: round(scenario.new * tests)]):
        first = int(random.integers(scenario.commits // 4, scenario.commits * 3 // 4)) * per
        if number % 4 == 0 and rate[test] == 0:
            outcomes[test] = FAILED
        outcomes[test, :first] = ABSENT
    outage_runs = [int(run) for run in random.permutation(runs)[: scenario.outages + scenario.partial_outages]]
    for number, run in enumerate(outage_runs):
        hit = np.ones(tests, np.bool_) if number < scenario.outages else random.random(tests) < 1 / 3
        outcomes[hit & (outcomes[:, run] != ABSENT), run] = FAILED
    names = [f"test_{number:05d}" for number in range(tests)]
    extra, extra_names, extra_rate, extra_regressed = [], [], [], []
    for test in random.permutation(tests)[: round(scenario.renamed * tests)]:
        at = int(random.integers(scenario.commits // 4, scenario.commits * 3 // 4)) * per
        renamed = outcomes[test].copy()
        renamed[:at] = ABSENT
        outcomes[test, at:] = ABSENT
        extra.append(renamed)
        extra_names.append(f"{names[test]}_renamed")
        extra_rate.append(rate[test])
        extra_regressed.append(regressed[test])
    if extra:
        outcomes = np.concatenate([outcomes, np.array(extra)])
        rate = np.concatenate([rate, extra_rate])
        regressed = np.concatenate([regressed, extra_regressed])
    return Simulated(scenario, names + extra_names, outcomes, rate, regressed, outage_runs)


def _run_rows(history: Simulated) -> Iterator[tuple[int, npt.NDArray[np.int64]]]:
    for run in range(history.outcomes.shape[1]):
        yield run, np.flatnonzero(history.outcomes[:, run] != ABSENT)


def write_database(history: Simulated, path: Path) -> None:
    """Write the history straight into a new SQLite database, by the raw driver: there are up to ten million rows."""
    open_database(f"sqlite:///{path}", create=True).dispose()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("INSERT INTO projects (id, name) VALUES (1, 'default')")
    for number, name in enumerate(history.names, start=1):
        one = TestIdentity("default", "suite", "tests.simulated", name)
        connection.execute(
            "INSERT INTO test_cases (id, project_id, key, suite, classname, name, framework, file) "
            "VALUES (?, 1, ?, ?, ?, ?, 'pytest', '')",
            (number, one.key, one.suite, one.classname, one.name),
        )
    connection.execute(
        "INSERT INTO failures (id, fingerprint, detail_hash, type, message, detail) VALUES "
        "(1, x'00', x'00', 'AssertionError', 'assert 1 == 2', 'E       assert 1 == 2')"
    )
    for run in range(history.outcomes.shape[1]):
        add_run(connection, history, run, run + 1)
    connection.commit()
    connection.execute("ANALYZE")
    connection.close()


def add_run(connection: sqlite3.Connection, history: Simulated, run: int, run_id: int) -> None:
    """Add the results of one simulated run."""
    started = f"{START + timedelta(minutes=10 * run_id):%Y-%m-%d %H:%M:%S}.000000"
    connection.execute(
        "INSERT INTO runs (id, project_id, provider, external_id, workflow, job, attempt, commit_sha, branch, runner, "
        "os, started_at) VALUES (?, 1, '', ?, '', 'test', 1, ?, 'main', '', '', ?)",
        (run_id, str(run_id), history.commit(run), started),
    )
    connection.execute(
        "INSERT INTO artifacts (id, run_id, sha256, path, kind, format, size_bytes, ingested_at) "
        "VALUES (?, ?, ?, ?, 'junit', 'pytest', 1, ?)",
        (run_id, run_id, run_id.to_bytes(32, "big"), f"{run_id}.xml", started),
    )
    column = history.outcomes[:, run]
    rows = [
        (test + 1, run_id, run_id, "failed" if column[test] == FAILED else "passed", 1 if column[test] else None)
        for test in np.flatnonzero(column != ABSENT).tolist()
    ]
    connection.executemany(
        "INSERT INTO results (test_case_id, run_id, artifact_id, attempt, outcome, duration_s, failure_id) "
        "VALUES (?, ?, ?, 1, ?, 0.01, ?)",
        rows,
    )


def write_junit(history: Simulated, folder: Path) -> list[tuple[Path, str]]:
    """Write one JUnit file a run, `run-00012/junit.xml`; return the files with their commits, in order of time."""
    files = []
    for run, present in _run_rows(history):
        moment = START + timedelta(hours=run)
        failed = history.outcomes[present, run] == FAILED
        cases = "".join(
            f'<testcase classname="tests.simulated" name={quoteattr(history.names[test])} time="0.01">'
            + ('<failure message="assert 1 == 2">assert 1 == 2</failure>' if bad else "")
            + "</testcase>\n"
            for test, bad in zip(present.tolist(), failed.tolist(), strict=True)
        )
        head = (
            f'<testsuite name="suite" tests="{len(present)}" failures="{int(failed.sum())}" errors="0" skipped="0" '
            f'time="1.0" timestamp="{moment:%Y-%m-%dT%H:%M:%S}" hostname="runner">'
        )
        path = folder / f"run-{run:05d}" / "junit.xml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            f'<?xml version="1.0" encoding="utf-8"?>\n<testsuites>{head}\n{cases}</testsuite></testsuites>\n'
        )
        files.append((path, history.commit(run)))
    return files
