"""Memory of a file of a gigabyte, and the rate of ingest as the number of files grows.

    python benchmarks/ingest_memory.py [--gigabytes 1] [--files 100000]

The goals: under 200 MB for the file; rate of the last tenth of the files at least 0.8 of that of the first. Rates are
files per CPU-second (user + system of this process), so that other work on the machine counts less.
"""

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from itertools import pairwise
from pathlib import Path

from flakehunter.db.rows import RunRow
from flakehunter.ingest.layout import compile_layout
from flakehunter.ingest.pipeline import IngestOptions, Summary, ingest
from flakehunter.ingest.runs import RunNaming
from flakehunter.ingest.sources import Source

CASE = '<testcase classname="tests.test_m{group}.TestX" name="test_{number}" time="0.{millis:03d}"/>'
FAILED = (
    '<testcase classname="tests.test_m{group}.TestX" name="test_{number}" time="1.5"><failure message="no {number}">'
    "Traceback: {filler}</failure><system-out>child pid {number} started</system-out></testcase>"
)

FILLER = "\n".join(f"line {number} of what the test printed before it failed" for number in range(1000))
"""50 kB: it is output that makes such files large."""


def write_large(path: Path, size: int) -> int:
    """Write one JUnit file of about `size` bytes, 1 % of it failures; return the number of its tests."""
    number = 0
    with path.open("w", encoding="utf-8") as stream:
        stream.write('<?xml version="1.0"?><testsuites><testsuite name="pytest">')
        while stream.tell() < size:
            for _ in range(1000):
                form = FAILED if number % 100 == 0 else CASE
                filler = FILLER if number % 100 == 0 else ""
                stream.write(form.format(group=number // 50, number=number, millis=number % 1000, filler=filler))
                number += 1
        stream.write("</testsuite></testsuites>")
    return number


def measure_large(folder: Path, gigabytes: float) -> None:
    """Ingest a large file in a process of its own and print its peak memory."""
    tests = write_large(folder / "large.xml", int(gigabytes * 1e9))
    command = [sys.executable, "-m", "flakehunter", "-q", "ingest", str(folder / "large.xml"), "--run-id", "1"]
    process = subprocess.Popen([*command, "--db", str(folder / "large.db")])
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"ingest failed with {process.returncode}")
    # Linux counts in KiB.
    peak = usage.ru_maxrss * 1024 / 1e6
    print(
        f"{gigabytes:g} GB, {tests:,} tests: peak {peak:.0f} MB, {usage.ru_utime + usage.ru_stime:.0f} s CPU (< 200 MB)"
    )


def measure_files(folder: Path, files: int) -> None:
    """Ingest many small files and print the rate of each tenth."""
    for number in range(files):
        target = folder / "many" / f"{number // 1000}" / f"{number // 20}"
        target.mkdir(parents=True, exist_ok=True)
        cases = "".join(CASE.format(group=case, number=case, millis=number % 1000) for case in range(10))
        document = f'<testsuite name="pytest" hostname="{number}">{cases}</testsuite>'
        (target / f"{number % 20}.xml").write_text(document, encoding="utf-8")
    tenth = max(files // 10, 1)
    marks: list[float] = []

    def observe(_source: Source, summary: Summary) -> None:
        if summary.files % tenth == 0:
            used = resource.getrusage(resource.RUSAGE_SELF)
            marks.append(used.ru_utime + used.ru_stime)

    naming = RunNaming(RunRow(), compile_layout("*/{run_id}/*.xml"))
    begun = resource.getrusage(resource.RUSAGE_SELF)
    ingest([folder / "many"], f"sqlite:///{folder / 'many.db'}", IngestOptions(naming=naming, jobs=1), observe)
    ends = [begun.ru_utime + begun.ru_stime, *marks]
    rates = [tenth / (after - before) for before, after in pairwise(ends)]
    print("files per CPU-second by tenths: " + " ".join(f"{rate:,.0f}" for rate in rates))
    print(f"{files:,} files: last tenth / first tenth {rates[-1] / rates[0]:.2f} (>= 0.8)")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=1.0)
    parser.add_argument("--files", type=int, default=100_000)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="ingest-memory-"))
    try:
        if options.gigabytes:
            measure_large(folder, options.gigabytes)
        if options.files:
            measure_files(folder, options.files)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
