"""How long a report of 10,000 tests and 1,000 runs takes, how much memory and how large its pages are.

    python benchmarks/report_size.py [--write] [TESTS RUNS FLAKY]

The database is made first, outside of the measurement, in a temporary folder: every test in every run, a share of the
tests flaky, with failures, verdicts and evidence. The report is a process of its own, as a user runs it. `--write` puts
the table into benchmarks/report.md.
"""

import hashlib
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from flakehunter.db.engine import open_database
from flakehunter.db.schema import Artifact, Failure, Project, Run, TestCase, TestVerdict
from flakehunter.model import Mechanism, Outcome, TestIdentity, Verdict

START = datetime(2026, 1, 5, tzinfo=UTC)


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


def measure(folder: Path, tests: int, runs: int, flaky: int) -> dict[str, float | str]:
    """Make the database and the report in `folder`; return seconds, MB and milliseconds by what they are of."""
    begun = time.perf_counter()
    build(folder / "large.db", tests, runs, flaky)
    found: dict[str, float | str] = {"database MB": (folder / "large.db").stat().st_size / 1e6}
    print(f"database: {found['database MB']:.0f} MB in {time.perf_counter() - begun:.0f} s", flush=True)
    command = [sys.executable, "-m", "flakehunter", "report", "--no-detect", "--db", str(folder / "large.db")]
    begun, used = time.perf_counter(), os.times()
    subprocess.run([*command, "-o", str(folder / "site")], check=True)
    after = os.times()
    found["report s"] = time.perf_counter() - begun
    found["report CPU s"] = after.children_user + after.children_system - used.children_user - used.children_system
    found["memory MB"] = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    pages = sorted((folder / "site").rglob("*.html"), key=lambda path: -path.stat().st_size)
    found["pages"] = len(pages)
    found["largest page MB"] = pages[0].stat().st_size / 1e6
    found["largest page"] = pages[0].name
    found["first page MB"] = (folder / "site/index.html").stat().st_size / 1e6
    return found | in_chromium(folder / "site/index.html")


def in_chromium(index: Path) -> dict[str, float | str]:
    """Return how long the first page takes in headless Chromium, in milliseconds; empty without one."""
    if shutil.which("chromium") is None:
        return {}
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), chromium_sandbox=False)
        page = browser.new_page()
        page.goto(index.as_uri())
        # The script runs last on the page: when it has run, filters and sorting work.
        ready = page.evaluate("performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd")
        painted = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0")
        filtered = page.evaluate(
            "() => { const field = document.querySelector('.find input'); const begun = performance.now();"
            " field.value = 'case_17'; field.dispatchEvent(new Event('input', {bubbles: true}));"
            " document.body.offsetHeight; return performance.now() - begun; }"
        )
        browser.close()
    return {"painted ms": painted, "interactive ms": ready, "filter ms": filtered}


TARGETS = {
    "report s": 30.0,
    "memory MB": 1000.0,
    "largest page MB": 2.0,
    "interactive ms": 1000.0,
}
"""At 10,000 tests and 1,000 runs, on a quiet machine."""


def table(tests: int, runs: int, flaky: int, found: Mapping[str, float | str]) -> str:
    """Return the result as the page benchmarks/report.md."""
    rows = [
        f"| {name} | {value if isinstance(value, str) else f'{value:,.1f}'} | {TARGETS.get(name, '')} |"
        for name, value in found.items()
    ]
    load = os.getloadavg()[0]
    return "\n".join(
        [
            "# The size of a report",
            "",
            (
                f"Made by `python benchmarks/report_size.py {tests} {runs} {flaky}`: {tests:,} tests in {runs:,} runs"
                f" ({tests * runs:,} results), {flaky:,} of the tests flaky. `report` is one process, from the database"
                " to the last page; the last three rows are the first page in headless Chromium."
            ),
            "",
            f"Taken on {os.cpu_count()} cores, load average {load:.1f} at the end,"
            f" {datetime.now(tz=UTC).date().isoformat()}."
            + ("" if load < 2 else " **The machine was busy**: the times are to be taken again."),
            "",
            "| | measured | bar |",
            "|---|--:|--:|",
            *rows,
            "",
        ]
    )


def main() -> int:
    """Measure, print the table, write it where `--write` says so, and return 1 where a bar is missed."""
    words = [word for word in sys.argv[1:] if word != "--write"]
    tests, runs, flaky = (int(word) for word in words) if words else (10_000, 1_000, 200)
    with tempfile.TemporaryDirectory() as name:
        found = measure(Path(name), tests, runs, flaky)
    text = table(tests, runs, flaky, found)
    print(text)
    if "--write" in sys.argv:
        (Path(__file__).parent / "report.md").write_text(text, encoding="utf-8")
    missed = [name for name, bar in TARGETS.items() if float(found.get(name, 0.0)) > bar]
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
