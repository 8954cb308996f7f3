"""What `benchmarks.scale` measures with: fleets of processes, hosts that are namespaces, CPUs, and who used them."""

import os
import re
import resource
import subprocess
import sys
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
from sqlalchemy import create_engine, text

from tests.databases import Server

PRELOAD = ("--preload", "flakehunter.cli.fleet_worker")

WORKER_SETTINGS = {"DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False"}
"""As in docs/fleet/compose.yaml."""


@dataclass(frozen=True, slots=True)
class Network:
    """Where scheduler and server listen, and what each worker is started with."""

    address: str
    prefixes: tuple[tuple[str, ...], ...]


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
def running_fleet(network: Network, folder: Path) -> Iterator[str]:
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


@contextmanager
def only_cpus(cpus: Collection[int], server: Server) -> Iterator[None]:
    """Leave the server, and all that is started within, these CPUs and no other; sched_setaffinity(2) is inherited."""
    before = os.sched_getaffinity(0)
    try:
        _bind(server, cpus)
        yield
    finally:
        _bind(server, before)


def _bind(server: Server, cpus: Collection[int]) -> None:
    os.sched_setaffinity(0, cpus)
    # The postmaster first: whoever it forks from then on inherits, and all others are its children already.
    postmaster = _postmaster(server)
    postmaster.cpu_affinity(list(cpus))
    for backend in postmaster.children():
        with suppress(psutil.NoSuchProcess):
            backend.cpu_affinity(list(cpus))


def _postmaster(server: Server) -> psutil.Process:
    engine = create_engine(server.url.format(name="postgres"))
    with engine.connect() as connection:
        data = Path(connection.execute(text("SHOW data_directory")).scalar_one())
    engine.dispose()
    return psutil.Process(int((data / "postmaster.pid").read_text().split()[0]))


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


def used(server: Server) -> Cpu:
    """Return the seconds of CPU so far: of this program's workers, of the server, of its other children."""
    mine = psutil.Process().children(recursive=True)
    workers = sum(_seconds(one) for one in mine if "worker" in _words(one))
    schedulers = sum(_seconds(one) for one in mine if "scheduler" in _words(one))
    postmaster = _postmaster(server)
    gone = postmaster.cpu_times()
    served = _seconds(postmaster) + gone.children_user + gone.children_system
    served += sum(_seconds(one) for one in postmaster.children())
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Cpu(workers, served, schedulers + ended.ru_utime + ended.ru_stime)


def busy() -> float:
    """Return the seconds of CPU that this machine has spent on anything at all but this program itself."""
    times = psutil.cpu_times()
    whole = float(times.user + times.nice + times.system + times.irq + times.softirq + times.steal)
    return whole - time.process_time()


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
