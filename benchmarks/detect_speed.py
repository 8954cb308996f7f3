"""How long `detect` takes on a large database: `python -m benchmarks.detect_speed --tests 2000 --runs 5000`.

Makes a database of simulated results (kept at --keep for another go), rolls them up as ingest does, then runs the real
command in a process of its own and prints seconds and peak memory; then adds one run and does it again. The default is
ten million results: about ten minutes and 1.5 GB of disk.
"""

import argparse
import json
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.detect_history import ABSENT, Scenario, add_run, simulate, write_database
from benchmarks.sections import machine, write_section
from flakehunter.db.engine import open_database
from flakehunter.db.queries.rollups import update_rollups


def measure(path: Path) -> str:
    """Run one `detect`, and return seconds, processor seconds, peak memory and the number of flaky tests in words."""
    before, busy = time.perf_counter(), _processor_seconds()
    done = subprocess.run(
        [sys.executable, "-m", "flakehunter", "-q", "detect", "--json", "--db", str(path)],
        check=True,
        capture_output=True,
    )
    seconds = time.perf_counter() - before
    flaky = sum(test["verdict"] == "flaky" for test in json.loads(done.stdout)["tests"])
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return f"{seconds:.1f} s ({_processor_seconds() - busy:.1f} s of processor), peak {memory:.0f} MB, {flaky} flaky"


def _processor_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tests", type=int, default=2000)
    parser.add_argument("--runs", type=int, default=5000)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--write", action="store_true", help="put the figures into benchmarks/detect.md")
    options = parser.parse_args()
    folder = tempfile.TemporaryDirectory()
    path = options.keep or Path(folder.name) / "large.db"
    history = simulate(Scenario(tests=options.tests, commits=options.runs // 2, runs_per_commit=2, outages=3))
    if not path.exists():
        start = time.perf_counter()
        write_database(history, path)
        print(f"made {path} in {time.perf_counter() - start:.0f} s, {path.stat().st_size / 1e6:.0f} MB", flush=True)
    results = int((history.outcomes != ABSENT).sum())
    start = time.perf_counter()
    engine = open_database(f"sqlite:///{path}")
    with engine.begin() as connection:
        rolled = update_rollups(connection, "default")
    engine.dispose()
    print(
        f"rolled up {rolled} results in {time.perf_counter() - start:.1f} s, which ingest does as they come", flush=True
    )
    lines = []
    for what in ("first", "again"):
        lines.append(f"{results:,} results, {what}: {measure(path)}")
        print(lines[-1], flush=True)
    with sqlite3.connect(path) as connection:
        (last,) = connection.execute("SELECT max(id) FROM runs").fetchone()
        add_run(connection, history, 0, last + 1)
    lines.append(f"one run more: {measure(path)}")
    print(lines[-1], flush=True)
    if options.write:
        text = "\n".join(f"- {line}" for line in lines)
        write_section(Path(__file__).with_name("detect.md"), "detect_speed", f"{machine()}\n\n{text}")
    folder.cleanup()


if __name__ == "__main__":
    main()
