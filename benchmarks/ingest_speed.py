"""Results per CPU-second of ingest, beside a bare `ET.parse` + `executemany` loop on the same files in the same run.

Also the wall time with two processes, one that writes and one that reads, as a share of that with one for everything;
and, for a machine with other work, how the CPU time is split: the process that writes, and half of all, are what two
cores cannot beat.

    python benchmarks/ingest_speed.py [--files 2000] [--cases 500] [--rounds 3] [--postgres URL]

CPU time is user + system of a process of its own, start-up included; the best of the rounds counts, since noise of the
machine only adds. The files look like a pytest matrix: 1 % failures, the same tests in every file, 20 files a run.
"""

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

FAILURE = (
    '<failure message="AssertionError: process {pid} is still alive">def test():\n&gt;   assert gone\n'
    "E   AssertionError: process {pid} is still alive\n\ntests/test_m.py:12: AssertionError</failure>"
)

ONE, TWO = "flakehunter", "two processes"

BARE = """
import sqlite3, sys, xml.etree.ElementTree as ET
from pathlib import Path
db = sqlite3.connect(sys.argv[2])
db.execute("PRAGMA journal_mode=WAL")
db.execute("PRAGMA synchronous=NORMAL")
columns = "run TEXT, classname TEXT, name TEXT, outcome TEXT, time REAL, message TEXT"
db.execute(f"CREATE TABLE results (id INTEGER PRIMARY KEY, {columns})")
for path in sorted(Path(sys.argv[1]).rglob("*.xml")):
    rows = []
    for case in ET.parse(path).getroot().iter("testcase"):
        failure = case.find("failure")
        outcome = "passed" if failure is None else "failed"
        message = None if failure is None else failure.get("message")
        names = (path.parent.name, case.get("classname"), case.get("name"))
        rows.append((*names, outcome, float(case.get("time")), message))
    with db:
        db.executemany("INSERT INTO results (run, classname, name, outcome, time, message) VALUES (?,?,?,?,?,?)", rows)
"""


def write_files(folder: Path, files: int, cases: int) -> None:
    """Write the files: `folder/<commit>/<run>-1/<job>/junit-<n>.xml`."""
    for number in range(files):
        run = number // 20
        target = folder / f"{run:040x}" / f"{run}-1" / "linux"
        target.mkdir(parents=True, exist_ok=True)
        head = (
            '<?xml version="1.0" encoding="utf-8"?><testsuites name="pytest tests"><testsuite name="pytest" errors="0"'
        )
        about = (
            f'failures="5" skipped="0" tests="{cases}" time="9.1" timestamp="2026-05-01T12:00:00+00:00" hostname="r"'
        )
        parts = [f"{head} {about}>"]
        for case in range(cases):
            module = (number % 20) * cases + case
            failed = (case * 7919 + number * 104729) % 100 == 0
            inside = FAILURE.format(pid=1000 + number) if failed else ""
            classname = f"tests.unit.test_module_{module // 25}.TestGroup"
            start = f'<testcase classname="{classname}" name="test_number_{module}[a-b]" time="0.{case % 999:03d}"'
            parts.append(start + (f">{inside}</testcase>" if failed else " />"))
        parts.append("</testsuite></testsuites>")
        (target / f"junit-{number % 20}.xml").write_text("".join(parts), encoding="utf-8")


def measure(argv: list[str], *, check: bool = True) -> tuple[float, float]:
    """Run a command; return its CPU seconds (user + system, children too) and its wall seconds."""
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(argv, check=check, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime, time.perf_counter() - begun


SPLIT = """
import resource, runpy, sys
try:
    runpy.run_module("flakehunter", run_name="__main__", alter_sys=True)
finally:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    print(*(one.ru_utime + one.ru_stime for one in used), file=open(sys.argv[-1] + ".split", "w"))
"""
"""Runs the command, whose last argument is the database, and writes CPU seconds: of the writing process, of others."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--cases", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--postgres", help="URL of an empty database, to measure COPY too")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="ingest-speed-"))
    results = options.files * options.cases
    try:
        write_files(folder / "runs", options.files, options.cases)
        size = sum(path.stat().st_size for path in (folder / "runs").rglob("*.xml"))
        print(f"{options.files} files, {results} results, {size / 1e6:.0f} MB, {os.cpu_count()} cores")
        layout = "{commit}/{run_id}-{attempt}/{job}/**"
        ours = ["-q", "ingest", str(folder / "runs"), "--layout", layout]
        module, split = [sys.executable, "-m", "flakehunter", *ours], [sys.executable, "-c", SPLIT, *ours]
        commands: dict[str, Callable[[str], list[str]]] = {
            "bare loop": lambda name: [sys.executable, "-c", BARE, str(folder / "runs"), str(folder / name)],
            ONE: lambda name: [*module, "--jobs", "1", "--db", str(folder / name)],
            TWO: lambda name: [*split, "--jobs", "2", "--db", str(folder / name)],
        }
        best: dict[str, tuple[float, float]] = {}
        ratios: list[float] = []
        bounds: list[float] = []
        latest: dict[str, float] = {}
        for turn in range(options.rounds):
            for label, command in commands.items():
                cpu, wall = measure(command(f"{label.replace(' ', '-')}-{turn}.db"))
                print(
                    f"  {label:13} {cpu:6.2f} s CPU {wall:6.2f} s wall {results / cpu:9,.0f} results/CPU-s", flush=True
                )
                best[label] = min(best.get(label, (cpu, wall)), (cpu, wall))
                latest[label] = cpu
            writer, readers = map(float, (folder / f"two-processes-{turn}.db.split").read_text().split())
            ratios.append(latest["bare loop"] / latest[ONE])
            bounds.append(max(writer, (writer + readers) / 2) / latest[ONE])
            print(f"  of two processes: writing {writer:.2f} s CPU, reading {readers:.2f} s", flush=True)
        if options.postgres:
            best["postgresql"] = measure([*module, "--db", options.postgres])
        for label, (cpu, wall) in best.items():
            print(f"{label:13} {results / cpu:9,.0f} results per CPU-second, {results / wall:9,.0f} per second")
        print(
            f"flakehunter / bare loop: {best['bare loop'][0] / best[ONE][0]:.2f} of its results per CPU-second (>= 0.8)"
        )
        print(f"median of the rounds: {median(ratios):.2f} (>= 0.8)")
        print(f"two processes / one, by CPU time at best: {median(bounds):.2f} of its wall time (<= 0.6)")
        print(f"two processes / one: {best[TWO][1] / best[ONE][1]:.2f} of its wall time (<= 0.6)")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
