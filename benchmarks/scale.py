"""Ingest and detect by a fleet, at one size after the other: seconds, cost of a result, efficiency.

    python -m benchmarks.scale --sizes 1e5 1e6 1e7 --hosts 0 --write   (15 minutes and 8 GB of disk)
    python -m benchmarks.scale --sizes 1e5 1e6 --write                 (three hosts too, which takes root)
    python -m benchmarks.scale --sizes --generated 1e8 --write         (results by COPY: detect alone, 25 GB of disk)

Each row is kept in --rows when it is measured: what is interrupted, or has run for --seconds, goes on with the next
row. A new version of the program needs another file.

For each size there are JUnit files of 500 results, a PostgreSQL server of our own, a dask scheduler, and workers with
one thread each, all with the settings of docs/fleet/compose.yaml (`fsync` as it comes). Every figure is the wall time
of the command as a user types it, into a database that has its tables and no rows; the best of three below a million
results, of two below ten. The fleet has done both commands before, for 200 files, as one that runs for days has. Then
both are timed for one file in a database of its own: that is their start, which no worker makes shorter (Python, its
imports, the ways to scheduler and server). Efficiency is the time with one worker, divided by the time with n workers
and by n: of the whole command, and of what is left of it without the start. And there are two kinds of fleets:

- Fleets that share this machine: one worker, two, and one in each of three network namespaces with a host name of its
  own, which are joined by a bridge, so that all that they say goes over (virtual) networks. Server, scheduler and
  command work on the same CPUs as the workers, so efficiency has a ceiling below 1 that no code can pass: with one
  worker all of them together keep B CPUs busy; n workers can be at most min(n, CPUs / B) times as quick. Namespaces
  have no CPUs of their own: three hosts on two CPUs show what the way costs.
- Fleets that have as many CPUs as workers: everything (server, scheduler, command, worker) on one CPU, beside
  everything with two workers on two, by sched_setaffinity(2). That is what more hardware gives. Where the machine has
  two CPUs, the latter is the same as two workers that share it, and is measured once. What the kernel does by itself,
  such as writing to disk, is not bound.

Seconds of CPU a result do not depend on who waits for whom, nor much on other work: had n workers to do more of them
than one, they would be in each other's way.
"""

import argparse
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from sqlalchemy import create_engine, text

from benchmarks.ingest_speed import write_files
from benchmarks.scale_generated import fill
from benchmarks.scale_processes import Network, busy, loopback, namespaces, only_cpus, running_fleet, used
from benchmarks.scale_table import ONE_CPU, ONE_WORKER, TWO_CPUS, TWO_WORKERS, Figures, Measured
from benchmarks.sections import machine, write_section
from benchmarks.turns import Row, in_turns
from tests.databases import Server, running_server

TABLE = Path(__file__).with_name("scale.md")
LAYOUT = "{commit}/{run_id}-{attempt}/{job}/**"
CASES = 500
"""Results in a file."""

SETTINGS = "-c max_wal_size=8GB -c shared_buffers=1GB"
"""Of the server: those of docs/fleet/compose.yaml."""

ROUNDS = ((1_000_000, 3), (10_000_000, 2))
"""Of fewer results than the first number, the best of so many rounds. On a shared host the same million took 11 s of
CPU in one round and 18 in the next, with little of it stolen: what a CPU does in a second varied."""


def timed(words: Sequence[str], url: str) -> float:
    """Run a command of flakehunter; return its wall seconds."""
    before = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "flakehunter", "-q", *words, "--db", url], check=True, stdout=subprocess.DEVNULL
    )
    return time.perf_counter() - before


@contextmanager
def database(server: Server, host: str) -> Iterator[str]:
    """Give the URL of a database without a row, by TCP."""
    url = server.create(tables=True)
    try:
        yield re.sub(r"@/(\w+)\?.*", rf"@{host}/\1", url)
    finally:
        server.drop(url)


@dataclass(slots=True)
class Files:
    """JUnit files of the size that is being measured, in a folder that has those of one size only; and of few."""

    folder: Path
    results: int = 0

    def few(self, number: int) -> Path:
        """Return a folder with so many files, which stays."""
        folder = self.folder.with_name(f"few-{number}")
        if not folder.exists():
            write_files(folder, number, CASES)
        return folder

    def of(self, results: int) -> Path:
        """Return the folder with files of so many results."""
        if self.results != results:
            shutil.rmtree(self.folder, ignore_errors=True)
            write_files(self.folder, results // CASES, CASES)
            self.results = results
        return self.folder


@dataclass(frozen=True, slots=True)
class Fleet:
    """What the commands are given: workers, and the CPUs that they and all others share."""

    label: str
    network: Network
    cpus: frozenset[int]


def fleets(hosts: Network | None) -> list[Fleet]:
    """Return the fleets that are measured at each size."""
    every = sorted(os.sched_getaffinity(0))
    if len(every) < len((ONE_CPU, TWO_CPUS)):
        raise SystemExit("two workers are measured on two CPUs, and there is one")
    found = [(ONE_WORKER, loopback(1), every), (TWO_WORKERS, loopback(2), every), (ONE_CPU, loopback(1), every[:1])]
    if every[:2] != every:
        found.append((TWO_CPUS, loopback(2), every[:2]))
    if hosts:
        found.append((f"{len(hosts.prefixes)} hosts", hosts, every))
    return [Fleet(label, network, frozenset(cpus)) for label, network, cpus in found]


def measure(server: Server, fleet: Fleet, files: Files, results: int) -> Row:
    """Ingest the files by a fleet, and judge the tests; return the row to keep."""
    many = next((rounds for limit, rounds in ROUNDS if results < limit), 1)
    rounds = [_once(server, fleet, files, results) for _ in range(many)]
    best = min(rounds, key=lambda one: one.ingest_s)
    return replace(
        best,
        detect_s=min(one.detect_s for one in rounds),
        ingest_start_s=min(one.ingest_start_s for one in rounds),
        detect_start_s=min(one.detect_start_s for one in rounds),
    ).as_row()


def _commands(server: Server, host: str, scheduler: str, folder: Path) -> tuple[float, float]:
    """Do both commands in a database of their own; return the wall seconds of each."""
    with database(server, host) as url:
        return _ingest(folder, scheduler, url), _detect(scheduler, url)


def _ingest(folder: Path, scheduler: str, url: str) -> float:
    return timed(["ingest", str(folder), "--layout", LAYOUT, "--scheduler", scheduler], url)


def _detect(scheduler: str, url: str) -> float:
    return timed(["detect", "--format", "csv", "--scheduler", scheduler], url)


def _once(server: Server, fleet: Fleet, files: Files, results: int) -> Measured:
    folder = files.of(results)
    # What earlier rows left to be written to disk is not this one's.
    server.run("CHECKPOINT")
    os.sync()
    network = fleet.network
    with database(server, network.address) as url, tempfile.TemporaryDirectory() as logs, ExitStack() as stack:
        stack.enter_context(only_cpus(fleet.cpus, server))
        address = stack.enter_context(running_fleet(network, Path(logs)))
        _commands(server, network.address, address, files.few(200))
        ingest_start_s, detect_start_s = _commands(server, network.address, address, files.few(1))
        before, busy_before, began = used(server), busy(), time.perf_counter()
        ingest_s = _ingest(folder, address, url)
        ingested = used(server)
        detect_s = _detect(address, url)
        others = (busy() - busy_before - (used(server) - before).whole) / (time.perf_counter() - began)
        size = _size(url)
    cpu = ingested - before
    took = f"ingest {ingest_s:.2f} s (start {ingest_start_s:.2f}), {cpu.whole:.2f} s of CPU"
    took += f", detect {detect_s:.2f} s (start {detect_start_s:.2f}), others {others:.2f} CPUs"
    print(f"{results:>11,} results, {fleet.label}: {took}", flush=True)
    return Measured(
        results,
        fleet.label,
        len(network.prefixes),
        ingest_s,
        ingest_start_s,
        cpu,
        detect_s,
        detect_start_s,
        size / results,
        max(0.0, others),
    )


def _size(url: str) -> int:
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            return int(connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one())
    finally:
        engine.dispose()


def generated(server: Server, results: int) -> list[str]:
    """Fill a database by COPY and judge its tests in this process, twice; return a row of the table."""
    with database(server, "127.0.0.1") as url:
        filled = fill(url, results)
        print(f"{results:>11,} results, generated: {filled}", flush=True)
        first_s, again_s = (timed(["detect", "--format", "csv"], url) for _ in range(2))
        size = _size(url)
    seconds = (filled.copy_s, filled.indexes_s, filled.rollups_s, first_s, again_s)
    return [f"| {results:,} | {' | '.join(f'{one:.1f} s' for one in seconds)} | {size / results:.0f} |"]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=float, nargs="*", default=[1e5, 1e6, 1e7])
    parser.add_argument("--hosts", type=int, default=3, help="network namespaces; 0 for none")
    parser.add_argument("--generated", type=float, default=0, help="so many results by COPY")
    parser.add_argument("--rows", type=Path, default=Path(".cache/scale.jsonl"), help="where rows are kept")
    parser.add_argument("--seconds", type=float, default=math.inf, help="begin no row after so many seconds")
    parser.add_argument("--write", action="store_true", help="put the tables into scale.md when all rows are there")
    options = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="scale-"))
    began = machine()
    tables: dict[str, list[str]] = {}
    try:
        with ExitStack() as stack:
            hosts = stack.enter_context(namespaces(options.hosts)) if options.hosts else None
            listen = f"127.0.0.1,{hosts.address}" if hosts else "127.0.0.1"
            server = stack.enter_context(running_server(f"-c listen_addresses={listen} {SETTINGS}"))
            if hosts:
                _let_in(server, hosts.address)
            files = Files(root / "runs")
            work: list[tuple[str, Callable[[], Row]]] = [
                (f"{size:,} results, {one.label}", partial(measure, server, one, files, size))
                for size in map(int, options.sizes)
                for one in fleets(hosts)
            ]
            rows = in_turns(options.rows, work, seconds=options.seconds)
            if rows and len(rows) == len(work):
                tables["fleet"] = _fleet_section(Figures([Measured.from_row(row) for row in rows.values()]))
            if options.generated:
                head = ["| results | COPY | indexes | rollups | detect | detect again | bytes a result |"]
                head += ["|---:|---:|---:|---:|---:|---:|---:|"]
                tables["generated"] = [*head, *generated(server, int(options.generated)), "", began]
    finally:
        shutil.rmtree(root, ignore_errors=True)
    for name, lines in tables.items():
        print("\n".join(lines))
        if options.write:
            write_section(TABLE, name, "\n".join(lines))


def _fleet_section(figures: Figures) -> list[str]:
    answers = [f"- {line}" for line in figures.answers()]
    grown = ["As many CPUs as workers, for everything:", "", *figures.grown()]
    shared = ["All CPUs of the machine for everything, however many workers:", "", *figures.shared()]
    return [*grown, "", *shared, "", figures.machine(), "", *answers]


def _let_in(server: Server, address: str) -> None:
    """Let the hosts of the bridge connect to the server."""
    engine = create_engine(server.url.format(name="postgres"))
    with engine.connect() as connection:
        rules = Path(connection.execute(text("SHOW hba_file")).scalar_one())
        with rules.open("a", encoding="utf-8") as file:
            file.write(f"host all all {address}/24 trust\n")
        connection.execute(text("SELECT pg_reload_conf()"))
    engine.dispose()


if __name__ == "__main__":
    main()
