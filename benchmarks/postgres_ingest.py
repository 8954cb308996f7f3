"""The same files into SQLite and into PostgreSQL, side by side: results a second, of all of ingest and of its writes.

A first ingest builds the index by test at its end, and the next one, of as many files, keeps it up.

The two take turns, each into a new database, and the best of the rounds counts. The server runs beside it on the same
machine with fsync on, so that it takes CPU of its own: seconds of this process are told too.

    python benchmarks/postgres_ingest.py [--files 400] [--tests 500] [--rounds 3] [--write]
"""

import argparse
import os
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.sections import write_section
from flakehunter.db.bulk import Origin, bulk_for
from flakehunter.db.engine import open_database
from flakehunter.ingest.layout import compile_layout
from flakehunter.ingest.pipeline import IngestOptions, ingest
from flakehunter.ingest.runs import RunNaming
from flakehunter.ingest.writing import RESULTS_AT_ONCE
from tests.databases import Server, running_server

PAGE = Path(__file__).with_name("scale.md")


def write_files(folder: Path, files: int, tests: int, *, first: int = 0) -> None:
    """Write a history of runs, numbered from `first` on; one test in a hundred fails."""
    folder.mkdir(exist_ok=True)
    for number in range(first, first + files):
        cases = "".join(
            f'<testcase classname="pkg.module_{test % 20}" name="test_{test}" time="0.01">'
            + ('<failure message="gone">text</failure>' if (test + number) % 100 == 7 else "")
            + "</testcase>"
            for test in range(tests)
        )
        place = folder / f"run{number}.xml"
        # The seconds make each file another one: the same content is known when it comes again.
        moment = f"2026-05-01T{number // 3600:02}:{number // 60 % 60:02}:{number % 60:02}"
        place.write_text(f'<testsuite name="s" timestamp="{moment}">{cases}</testsuite>')


def one_ingest(folder: Path, url: str) -> tuple[float, float]:
    """Return wall and CPU seconds of this process for one ingest."""
    options = IngestOptions(naming=RunNaming(layout=compile_layout("run{run_id}.xml")), jobs=1)
    wall, cpu = time.perf_counter(), time.process_time()
    ingest([folder], url, options)
    return time.perf_counter() - wall, time.process_time() - cpu


def rows_alone(url: str, files: int, tests: int) -> float:
    """Return the seconds that the statements for results alone take, in transactions as ingest has them."""
    engine = open_database(url, create=True)
    bulk = bulk_for(engine.dialect.name)
    ids, durations = list(range(1, tests + 1)), [0.01] * tests
    begun = time.perf_counter()
    with engine.connect() as connection:
        bulk.expect_many(connection)
        for start in range(0, files, max(1, RESULTS_AT_ONCE // tests)):
            with connection.begin():
                for file in range(start, min(files, start + max(1, RESULTS_AT_ONCE // tests))):
                    bulk.insert_passes(connection, Origin(file + 1, file + 1, date(2026, 5, 1)), ids, durations)
                bulk.write_out(connection)
        bulk.complete(connection)
    took = time.perf_counter() - begun
    engine.dispose()
    return took


def measure(server: Server, folder: Path, files: int, tests: int, rounds: int) -> dict[str, list[float]]:
    """Return the best seconds of each kind of database: of a first ingest, of its CPU, of the next, of rows alone."""
    best: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as place:
        for number in range(rounds):
            for kind in ("SQLite", "PostgreSQL"):
                urls = [
                    f"sqlite:///{place}/{number}-{part}.db" if kind == "SQLite" else server.create(tables=True)
                    for part in range(2)
                ]
                figures = [*one_ingest(folder / "first", urls[0]), one_ingest(folder / "next", urls[0])[0]]
                figures.append(rows_alone(urls[1], files, tests))
                best[kind] = [min(pair) for pair in zip(best.get(kind, figures), figures, strict=True)]
                for url in urls:
                    if kind == "PostgreSQL":
                        server.drop(url)
    return best


def main() -> None:
    """Measure and print, and write the table where it is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=400)
    parser.add_argument("--tests", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place, running_server("-c fsync=on -c shared_buffers=512MB") as server:
        write_files(Path(place) / "first", options.files, options.tests)
        write_files(Path(place) / "next", options.files, options.tests, first=options.files)
        best = measure(server, Path(place), options.files, options.tests, options.rounds)
    count = options.files * options.tests
    lines = [
        f"{options.files} files × {options.tests} results, one process, best of {options.rounds}, taking turns.",
        f"Load of the machine when it ended: {os.getloadavg()[0]:.0f}.",
        "",
        "| database | first ingest, results/s | results/CPU-s of the client | next ingest, results/s | rows alone |",
        "|---|--:|--:|--:|--:|",
    ]
    for kind, seconds in best.items():
        lines.append(f"| {kind} | {' | '.join(f'{count / one:,.0f}' for one in seconds)} |")
    ratio = [one / other for one, other in zip(best["SQLite"], best["PostgreSQL"], strict=True)]
    lines.append(f"| PostgreSQL / SQLite | {' | '.join(f'{one:.2f}' for one in ratio)} |")
    print("\n".join(lines))
    if options.write:
        write_section(PAGE, "postgres-ingest", "\n".join(lines))


if __name__ == "__main__":
    main()
