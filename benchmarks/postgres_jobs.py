"""Many CI jobs ingest into one PostgreSQL at the same moment: is anything lost or twice, and how long does one wait?

Each job is a process of its own with a run of its own; all know the same tests. The server's log tells of every lock
that was waited for longer than WAIT_MS (log_lock_waits, advisory locks among them).

    python benchmarks/postgres_jobs.py --jobs 64 [--files 1] [--tests 500] [--write]
"""

import argparse
import multiprocessing
import re
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from sqlalchemy import create_engine, text

from benchmarks.sections import machine, write_section
from flakehunter.db.engine import open_database, readonly
from flakehunter.db.queries.rollups import read_packed
from flakehunter.db.rows import RunRow
from flakehunter.ingest.pipeline import IngestOptions, ingest
from flakehunter.ingest.runs import RunNaming
from tests.databases import running_server

WAIT_MS = 20
WAITED = re.compile(r"acquired \w+ on (.*) after ([\d.]+) ms")
PAGE = Path(__file__).with_name("scale.md")


def write_files(folder: Path, files: int, tests: int) -> None:
    """Write the JUnit files of one job; one test in a hundred fails."""
    folder.mkdir()
    for number in range(files):
        cases = "".join(
            f'<testcase classname="pkg.module_{number}" name="test_{test}" time="0.01">'
            + (f'<failure message="job {folder.name}">text</failure>' if test % 100 == 7 else "")
            + "</testcase>"
            for test in range(tests)
        )
        (folder / f"{number}.xml").write_text(
            f'<testsuite name="s" timestamp="2026-05-01T10:00:00">{cases}</testsuite>'
        )


def job(folder: Path, url: str, number: int, ready, times) -> None:  # type: ignore[no-untyped-def]
    """Ingest one folder when all jobs are ready."""
    naming = RunNaming(given=RunRow(external_id=str(number), commit=f"c{number}", job="linux"))
    ready.wait()
    begun = time.monotonic()
    ingest([folder], url, IngestOptions(naming=naming))
    times.put(time.monotonic() - begun)


def run_jobs(url: str, folders: list[Path], first: int) -> tuple[list[float], int]:
    """Run one job a folder at the same moment; return the seconds each took, and how many failed."""
    fork = multiprocessing.get_context("fork")
    ready, times = fork.Barrier(len(folders)), fork.SimpleQueue()
    jobs = [
        fork.Process(target=job, args=(folder, url, first + place, ready, times))
        for place, folder in enumerate(folders)
    ]
    for one in jobs:
        one.start()
    for one in jobs:
        one.join()
    failed = sum(one.exitcode != 0 for one in jobs)
    return sorted(times.get() for _ in range(len(jobs) - failed)), failed


def stored(url: str) -> tuple[int, int, int]:
    """Return how many results there are, how many of them are there twice, and how many rollups and rows say."""
    engine = create_engine(url)
    with engine.connect() as connection:
        count = connection.scalar(text("SELECT count(*) FROM results"))
        twice = "SELECT count(*) - count(DISTINCT (run_id, test_case_id, attempt)) FROM results"
        doubles = connection.scalar(text(twice))
    engine.dispose()
    engine = open_database(url)
    with readonly(engine).connect() as connection:
        packed = len(read_packed(connection, "default").test)
    engine.dispose()
    return int(count or 0), int(doubles or 0), packed


def waits(log: str) -> list[tuple[float, str]]:
    """Return milliseconds and lock of every wait that the server has logged."""
    return sorted((float(found[2]), re.sub(r"\d+", "N", found[1])) for found in WAITED.finditer(log))


def main() -> None:
    """Measure and print, and write the table where it is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=64)
    parser.add_argument("--files", type=int, default=1)
    parser.add_argument("--tests", type=int, default=500)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    lines = [machine(), ""]
    lines += ["| round | jobs | results each | stored | lost | twice | slowest job | longest wait for a lock |"]
    lines.append("|---|--:|--:|--:|--:|--:|--:|--:|")
    settings = f"-c log_lock_waits=on -c deadlock_timeout={WAIT_MS}ms -c fsync=on"
    with running_server(settings) as server, tempfile.TemporaryDirectory() as place:
        url = server.create(tables=True)
        seen, expected = 0, 0
        for round_, name in enumerate(("tests that nobody knows yet", "tests known before")):
            folders = [Path(place) / f"{round_}-{number}" for number in range(options.jobs)]
            for folder in folders:
                write_files(folder, options.files, options.tests)
            times, failed = run_jobs(url, folders, 1000 * round_)
            log = server.log()
            waited, seen = waits(log[seen:]), len(log)
            expected += options.jobs * options.files * options.tests
            count, doubles, packed = stored(url)
            assert packed == count, f"rollups and rows say {packed} results, rows alone {count}"
            longest = f"{waited[-1][0]:.0f} ms, {waited[-1][1]}" if waited else f"< {WAIT_MS} ms"
            for kind, many in Counter(kind for _, kind in waited).items():
                print(f"{name}: {many} waits longer than {WAIT_MS} ms for {kind}", file=sys.stderr)
            lines.append(
                f"| {name} | {options.jobs} | {options.files * options.tests:,} | {count:,} | {expected - count} |"
                f" {doubles} | {times[-1]:.2f} s | {longest} |"
            )
            assert not failed, f"{failed} jobs failed"
        server.drop(url)
    print("\n".join(lines))
    if options.write:
        write_section(PAGE, "postgres-jobs", "\n".join(lines))


if __name__ == "__main__":
    main()
