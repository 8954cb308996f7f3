"""How long a report of 10,000 tests and 1,000 runs takes, how much memory and how large its pages are.

    python benchmarks/report_size.py [TESTS RUNS FLAKY]

The database is made first, outside of the measurement, in a temporary folder: every test in every run, a share of the
tests flaky, with failures, verdicts and evidence. The report is a process of its own, as a user runs it.
"""

import hashlib
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from flakehunter.db.engine import open_database
from flakehunter.db.schema import Artifact, Failure, Project, Run, TestCase, TestVerdict
from flakehunter.model import Mechanism, Outcome, TestIdentity, Verdict

START = datetime(2026, 1, 5, tzinfo=UTC)
TARGET_S, TARGET_MB, TARGET_PAGE_MB = 30.0, 1000.0, 2.0


def build(path: Path, tests: int, runs: int, flaky: int) -> None:
    """Write the history; the same numbers give the same rows."""
    chance = random.Random(7)
    engine = open_database(f"sqlite:///{path}", create=True)
    with engine.begin() as connection:
        connection.execute(insert(Project), [{"id": 1, "name": "large"}])
        connection.execute(insert(Run), [_run(number) for number in range(1, runs + 1)])
        connection.execute(insert(Artifact), [_artifact(number) for number in range(1, runs + 1)])
        connection.execute(insert(TestCase), [_test(number) for number in range(1, tests + 1)])
        connection.execute(insert(Failure), [_failure(number) for number in range(1, 3 * flaky + 1)])
        mechanisms = list(Mechanism)
        connection.execute(insert(TestVerdict), [_verdict(n, flaky, mechanisms[n % 8]) for n in range(1, tests + 1)])
    raw = engine.raw_connection()
    try:
        cursor = raw.cursor()
        cursor.execute("BEGIN")
        cursor.executemany(
            "INSERT INTO results (test_case_id, run_id, artifact_id, attempt, outcome, duration_s, failure_id)"
            " VALUES (?, ?, ?, 1, ?, ?, ?)",
            _results(tests, runs, flaky, chance),
        )
        cursor.execute("COMMIT")
    finally:
        raw.close()
    engine.dispose()


def _run(number: int) -> dict[str, Any]:
    commit = hashlib.sha1(str(number // 3).encode(), usedforsecurity=False).hexdigest()
    started = START + timedelta(hours=4 * number)
    return {
        "id": number,
        "project_id": 1,
        "external_id": str(number),
        "job": f"job{number % 3}",
        "commit_sha": commit,
        "branch": "main",
        "started_at": started,
    }


def _artifact(number: int) -> dict[str, Any]:
    digest = hashlib.sha256(str(number).encode()).digest()
    about = {"path": "junit.xml", "kind": "junit", "format": "pytest", "size_bytes": 1, "ingested_at": START}
    return {"id": number, "run_id": number, "sha256": digest, **about}


def _test(number: int) -> dict[str, Any]:
    classname, name = f"tests.part{number % 97}.test_module{number % 389}", f"test_case_{number}"
    identity = TestIdentity("large", "pytest", classname, name)
    return {"id": number, "project_id": 1, "key": identity.key, "suite": "pytest", "classname": classname, "name": name,
            "framework": "pytest", "file": classname.replace(".", "/") + ".py", "line": number % 400}  # fmt: skip


def _failure(number: int) -> dict[str, Any]:
    digest = hashlib.blake2b(str(number).encode(), digest_size=16).digest()
    detail = "\n".join(f"tests/x.py:{line}: in test_case\n    assert not alive(pid)" for line in range(20))
    return {"id": number, "fingerprint": digest, "detail_hash": digest, "type": "AssertionError",
            "message": f"process {number} is still alive", "detail": detail}  # fmt: skip


def _verdict(number: int, flaky: int, mechanism: Mechanism) -> dict[str, Any]:
    is_flaky = number <= flaky
    evidence = [{"source": "history", "text": "40 commits have passes and failures", "weight": 0.9, "ref": "commit"}]
    return {"test_case_id": number, "verdict": Verdict.FLAKY if is_flaky else Verdict.HEALTHY, "p_flaky": 0.99,
            "flake_rate": 0.02, "flake_rate_low": 0.01, "flake_rate_high": 0.04, "since_commit": "",
            "mechanism": mechanism if is_flaky else None, "p_mechanism": 0.8 if is_flaky else None,
            "evidence": evidence if is_flaky else [], "decided_at": START + timedelta(days=900)}  # fmt: skip


def _results(tests: int, runs: int, flaky: int, chance: random.Random) -> Iterator[tuple[object, ...]]:
    for run in range(1, runs + 1):
        for test in range(1, tests + 1):
            bad = test <= flaky and chance.random() < 0.02
            outcome = Outcome.FAILED.value if bad else Outcome.PASSED.value
            duration = 0.05 + chance.random() * (2.0 if bad else 0.1)
            yield test, run, run, outcome, duration, 3 * test - chance.randrange(3) if bad else None


def main() -> int:
    """Measure, print a table, and return 1 where a target is missed."""
    tests, runs, flaky = (int(word) for word in sys.argv[1:4]) if len(sys.argv) > 3 else (10_000, 1_000, 200)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        begun = time.perf_counter()
        build(folder / "large.db", tests, runs, flaky)
        size = (folder / "large.db").stat().st_size / 1e6
        took = time.perf_counter() - begun
        print(f"database: {tests} tests x {runs} runs, {flaky} flaky: {size:.0f} MB in {took:.0f} s", flush=True)
        command = [sys.executable, "-m", "flakehunter", "report", "--no-detect", "--db", str(folder / "large.db")]
        begun, used = time.perf_counter(), os.times()
        subprocess.run([*command, "-o", str(folder / "site")], check=True)
        took = time.perf_counter() - begun
        after = os.times()
        cpu = after.children_user + after.children_system - used.children_user - used.children_system
        memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        pages = sorted((folder / "site").rglob("*.html"), key=lambda path: -path.stat().st_size)
        largest = pages[0].stat().st_size / 1e6
        print(f"report: {took:.1f} s ({cpu:.1f} s of CPU), {memory:.0f} MB at most, {len(pages)} pages,"
              f" largest {pages[0].name} {largest:.2f} MB")  # fmt: skip
        return int(cpu > TARGET_S or memory > TARGET_MB or largest > TARGET_PAGE_MB)


if __name__ == "__main__":
    sys.exit(main())
