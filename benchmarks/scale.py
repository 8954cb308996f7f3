"""Ingest and detect by a fleet, at one size after the other: seconds, cost of a result, efficiency.

    python -m benchmarks.scale --sizes 1e5 1e6 1e7 --write        (an hour and 8 GB of disk; --hosts needs root)
    python -m benchmarks.scale --sizes --generated 1e8 --write    (results by COPY: detect alone, 25 GB of disk)

For each size there are JUnit files of 500 results, a PostgreSQL server of our own, a dask scheduler, and workers with
one thread each, all with the settings of docs/fleet/compose.yaml (`fsync` as it comes): one worker, two, and one in
each of three network namespaces with a host name of its own, which are joined by a bridge, so that all that they say
goes over (virtual) networks. Every figure is the wall time of the command as a user types it, into an empty database.
Efficiency is the time with one worker, divided by the time with n workers and by n. Namespaces have no CPUs of their
own: three hosts on two CPUs show what the way costs.

Server, scheduler and command work on the same CPUs as the workers, so efficiency has a ceiling below 1 that no code can
pass: with one worker all of them together keep B CPUs busy; n workers can be at most min(n, CPUs / B) times as quick.
Seconds of CPU a result do not depend on who waits for whom, nor much on other work: had n workers to do more of them
than one, they would be in each other's way.
"""

import argparse
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path

import psutil
from sqlalchemy import create_engine, text

from benchmarks.ingest_speed import write_files
from benchmarks.scale_generated import fill
from benchmarks.sections import machine, write_section
from tests.databases import Server, running_server

TABLE = Path(__file__).with_name("scale.md")
LAYOUT = "{commit}/{run_id}-{attempt}/{job}/**"
CASES = 500
"""Results in a file."""

PRELOAD = ("--preload", "flakehunter.cli.fleet_worker")

SETTINGS = "-c max_wal_size=8GB -c shared_buffers=1GB"
"""Of the server: those of docs/fleet/compose.yaml."""

WORKER_SETTINGS = {"DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False"}
"""As in docs/fleet/compose.yaml."""


@dataclass(frozen=True, slots=True)
class Network:
    """Where scheduler and server listen, and what each worker is started with."""

    address: str
    prefixes: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Measured:
    """Seconds of both commands at one size with one fleet, and the bytes of a result in the database."""

    results: int
    fleet: str
    workers: int
    ingest_s: float
    ingest_cpu: "Cpu"
    detect_s: float
    bytes_a_result: float


@dataclass(frozen=True, slots=True)
class Cpu:
    """Seconds of CPU that the processes of one command took."""

    workers: float
    server: float
    others: float
    """Of the command and the scheduler."""

    @property
    def whole(self) -> float:
        """Return the seconds of all of them."""
        return self.workers + self.server + self.others

    def __sub__(self, before: "Cpu") -> "Cpu":
        """Return what was added since."""
        return Cpu(self.workers - before.workers, self.server - before.server, self.others - before.others)


def used(url: str) -> Cpu:
    """Return the seconds of CPU so far: of this program's workers, of the server of `url`, of its other children."""
    mine = psutil.Process().children(recursive=True)
    workers = sum(_seconds(one) for one in mine if "worker" in _words(one))
    schedulers = sum(_seconds(one) for one in mine if "scheduler" in _words(one))
    engine = create_engine(url)
    with engine.connect() as connection:
        data = Path(connection.execute(text("SHOW data_directory")).scalar_one())
    engine.dispose()
    postmaster = psutil.Process(int((data / "postmaster.pid").read_text().split()[0]))
    gone = postmaster.cpu_times()
    server = _seconds(postmaster) + gone.children_user + gone.children_system
    server += sum(_seconds(one) for one in postmaster.children())
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Cpu(workers, server, schedulers + ended.ru_utime + ended.ru_stime)


def _seconds(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)


def _words(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except psutil.NoSuchProcess:
        return []


def loopback(workers: int) -> Network:
    """Return workers on this host."""
    return Network("127.0.0.1", ((),) * workers)


@contextmanager
def namespaces(hosts: int) -> Iterator[Network]:
    """Make network namespaces on a bridge; ip-netns(8), veth(4), uts_namespaces(7)."""
    name, net = f"fh{os.getpid() % 100_000}", f"10.{200 + os.getpid() % 50}.{os.getpid() // 50 % 250}"
    with ExitStack() as stack:
        _ip(f"link add {name} type bridge")
        stack.callback(_ip, f"link del {name}")
        _ip(f"addr add {net}.1/24 dev {name}")
        _ip(f"link set {name} up")
        for host in range(1, hosts + 1):
            there = f"{name}-{host}"
            _ip(f"netns add {there}")
            stack.callback(_ip, f"netns del {there}")
            _ip(f"link add {name}v{host} type veth peer name eth0 netns {there}")
            _ip(f"link set {name}v{host} master {name} up")
            _ip(f"-n {there} addr add {net}.{host + 1}/24 dev eth0")
            _ip(f"-n {there} link set eth0 up")
            _ip(f"-n {there} link set lo up")
        rename = 'hostname "$0"; exec "$@"'
        yield Network(
            f"{net}.1",
            tuple(
                ("ip", "netns", "exec", f"{name}-{host}", "unshare", "--uts", "sh", "-c", rename, f"host-{host}")
                for host in range(1, hosts + 1)
            ),
        )


def _ip(words: str) -> None:
    subprocess.run(["ip", *words.split()], check=True)


@contextmanager
def fleet(network: Network, folder: Path) -> Iterator[str]:
    """Start a scheduler and workers, wait until all have joined, and give the address."""
    dask = [sys.executable, "-m", "dask"]
    with ExitStack() as stack:
        scheduler = [*dask, "scheduler", "--host", network.address, "--port", "0", "--no-dashboard"]
        address = _started(stack, scheduler, folder / "scheduler.log", r"Scheduler at:\s+(tcp://\S+)")
        for number, prefix in enumerate(network.prefixes):
            options = ["--nthreads", "1", "--no-nanny", "--no-dashboard", "--local-directory", str(folder), *PRELOAD]
            _started(stack, [*prefix, *dask, "worker", address, *options], folder / f"{number}.log", "(established)")
        yield address


def _started(stack: ExitStack, command: Sequence[str], log: Path, pattern: str) -> str:
    with log.open("wb") as output:
        environment = os.environ | WORKER_SETTINGS
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment)
    stack.callback(process.wait)
    stack.callback(process.kill)
    while (found := re.search(pattern, log.read_text())) is None:
        if process.poll() is not None:
            raise RuntimeError(f"{' '.join(command)} ended:\n{log.read_text()}")
        time.sleep(0.05)
    return found[1]


def timed(words: Sequence[str], url: str) -> float:
    """Run a command of flakehunter; return its wall seconds."""
    before = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "flakehunter", "-q", *words, "--db", url], check=True, stdout=subprocess.DEVNULL
    )
    return time.perf_counter() - before


@contextmanager
def database(server: Server, host: str) -> Iterator[str]:
    """Give the URL of an empty database, by TCP."""
    url = server.create()
    try:
        yield re.sub(r"@/(\w+)\?.*", rf"@{host}/\1", url)
    finally:
        server.drop(url)


def measure(server: Server, network: Network, label: str, folder: Path, files: int) -> Measured:
    """Ingest the files of `folder` by a fleet, and judge the tests."""
    with database(server, network.address) as url, tempfile.TemporaryDirectory() as logs:
        with fleet(network, Path(logs)) as address:
            layout = ["--layout", LAYOUT]
            before = used(server.url.format(name="postgres"))
            ingest_s = timed(["ingest", str(folder), *layout, "--scheduler", address], url)
            cpu = used(server.url.format(name="postgres")) - before
            detect_s = timed(["detect", "--format", "csv", "--scheduler", address], url)
        size = _size(url)
    results = files * CASES
    found = Measured(results, label, len(network.prefixes), ingest_s, cpu, detect_s, size / results)
    took = f"ingest {ingest_s:.1f} s, {cpu.whole:.1f} s of CPU, detect {detect_s:.1f} s"
    print(f"{results:>11,} results, {label}: {took}", flush=True)
    return found


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


def table(measured: Sequence[Measured]) -> list[str]:
    """Return the table of what was measured."""
    heads = ["results", "fleet", "ingest", "µs a result", "efficiency", "its ceiling"]
    heads += ["CPU µs a result: workers, server, others", "detect", "µs a result", "efficiency", "bytes a result"]
    lines = [f"| {' | '.join(heads)} |", "|---:|---|" + "---:|" * (len(heads) - 2)]
    alone = {one.results: one for one in measured if one.workers == 1}
    for one in measured:
        base = alone.get(one.results, one)
        ceiling = min(1.0, (os.cpu_count() or 1) * base.ingest_s / base.ingest_cpu.whole / one.workers)
        cpu = [f"{seconds / one.results * 1e6:.0f}" for seconds in astuple(one.ingest_cpu)]
        lines.append(
            f"| {one.results:,} | {one.fleet} | {one.ingest_s:.1f} s | {one.ingest_s / one.results * 1e6:.1f} | "
            f"{base.ingest_s / one.ingest_s / one.workers:.2f} | {ceiling:.2f} | {', '.join(cpu)} | "
            f"{one.detect_s:.1f} s | {one.detect_s / one.results * 1e6:.2f} | "
            f"{base.detect_s / one.detect_s / one.workers:.2f} | {one.bytes_a_result:.0f} |"
        )
    return lines


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=float, nargs="*", default=[1e5, 1e6, 1e7])
    parser.add_argument("--hosts", type=int, default=3, help="network namespaces; 0 for none")
    parser.add_argument("--generated", type=float, default=0, help="so many results by COPY")
    parser.add_argument("--write", action="store_true", help="put the tables into scale.md")
    options = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="scale-"))
    began = machine()
    try:
        with ExitStack() as stack:
            hosts = stack.enter_context(namespaces(options.hosts)) if options.hosts else None
            listen = f"127.0.0.1,{hosts.address}" if hosts else "127.0.0.1"
            server = stack.enter_context(running_server(f"-c listen_addresses={listen} {SETTINGS}"))
            if hosts:
                _let_in(server, hosts.address)
            measured = []
            for size in map(int, options.sizes):
                write_files(root / "runs", size // CASES, CASES)
                for label, network in (("1 worker", loopback(1)), ("2 workers", loopback(2))):
                    measured.append(measure(server, network, label, root / "runs", size // CASES))
                if hosts:
                    measured.append(measure(server, hosts, f"{options.hosts} hosts", root / "runs", size // CASES))
                shutil.rmtree(root / "runs")
            tables = {"fleet": table(measured)} if measured else {}
            if options.generated:
                head = ["| results | COPY | indexes | rollups | detect | detect again | bytes a result |"]
                head += ["|---:|---:|---:|---:|---:|---:|---:|"]
                tables["generated"] = head + generated(server, int(options.generated))
    finally:
        shutil.rmtree(root, ignore_errors=True)
    for name, lines in tables.items():
        print("\n".join(lines))
        if options.write:
            write_section(TABLE, name, "\n".join([*lines, "", began]))


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
