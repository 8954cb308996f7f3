"""Group kills side by side: who leaves survivors in which tree, and how long until the last member is dead.

    python benchmarks/groupkill.py [--runs 20] [--trees fifty,setsid] [--peers a,b] [--hogs 0] [--write FILE]

A row is a way to end a group, a column a tree of tests/processes/trees.py. An outside process holds a pidfd of every
member that was there and notes when each one ends; a cell is the median time in ms from the request to the last death,
or how many of the runs left a survivor. The ways take turns, so that drift of the machine hits all alike. The request
is the call of ours, the signal to tini and timeout, the write of the C program, the start of the two recipes, whose
interpreters have to start first. Needs gcc for the C program, tini, and npm, which fetches tree-kill; what is missing
is left out and named.
"""

import argparse
import contextlib
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sections import write_section

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/processes"))

from load import burning  # noqa: E402
from trees import TREES, Observer, Tree  # noqa: E402

from flakehunter.groupkill import choose, probe_all  # noqa: E402
from flakehunter.groupkill.linux.cgroup_mounts import find_unified  # noqa: E402

DEADLINE_S = 3.0
COLUMNS = ("shell-and-sleep", "fifty", "setsid", "daemon", "ignores-term", "fork-storm", "stopped", "leader-gone")
FLOOR = "C: cgroup.kill + poll"
LOAD = os.getloadavg()
PSUTIL = """
import psutil, sys
parent = psutil.Process(int(sys.argv[1]))
children = [*parent.children(recursive=True), parent]
for process in children:
    try: process.terminate()
    except psutil.NoSuchProcess: pass
gone, alive = psutil.wait_procs(children, timeout=0.5)
for process in alive: process.kill()
psutil.wait_procs(alive, timeout=3)
"""


@dataclass
class Cell:
    """One measurement: ms to the last death (None: somebody survived), and ms from there to the return of the call."""

    last_death_ms: float | None
    returned_ms: float
    after_death_ms: float | None = None


WATCH = """
import json, os, select, sys, time
poll, held, ended = select.poll(), {}, {}
for pid in map(int, sys.argv[1:]):
    try:
        held[os.pidfd_open(pid)] = pid
    except ProcessLookupError:
        pass
for descriptor in held:
    poll.register(descriptor, select.POLLIN)
poll.register(0, select.POLLHUP)
os.write(1, b"x")
stopping = False
while held and not stopping:
    for descriptor, _ in poll.poll():
        if descriptor == 0:
            stopping = True
        else:
            poll.unregister(descriptor)
            ended[held.pop(descriptor)] = time.monotonic()
print(json.dumps(ended))
"""


class Deaths:
    """An outside process that notes when each of the given processes ends.

    It is no fork of this one: that would share our memory, and the call that is measured would pay for the copies.
    """

    def __init__(self, pids: set[int]) -> None:
        command = [sys.executable, "-I", "-S", "-c", WATCH, *map(str, pids)]
        self._watcher = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._watcher.stdout is not None
        self._watcher.stdout.read(1)

    def finish(self) -> dict[int, float]:
        """Return the moment (time.monotonic()) at which each that has ended did so."""
        output, _ = self._watcher.communicate()
        return {int(pid): moment for pid, moment in json.loads(output).items()}


def measure(
    observer: Observer, end: Callable[[], float | None], leader: int | None, kill_at: float | None = None
) -> Cell:
    """Call `end`, watch from outside, and end what is left; `end` may return its own moment of the request."""
    pids = observer.living() | ({leader} if leader else set())
    deaths = Deaths(pids)
    begin = time.monotonic()
    began = end()
    returned = time.monotonic()
    begin = began or begin
    limit = returned + 0.3
    while observer.living() and time.monotonic() < limit:
        time.sleep(0.005)
    left = observer.living()
    observer.end_all()
    ended = deaths.finish()
    if left or not ended:
        return Cell(None if left else 0.0, (returned - begin) * 1000)
    last = max(ended.values())
    return Cell(max(0.0, (last - begin) * 1000), (returned - begin) * 1000, (returned - last) * 1000)


def backend(name: str) -> Callable[[Tree, Observer], Cell]:
    """Measure `terminate(SIGKILL)` of one of our backends."""

    def run(tree: Tree, observer: Observer) -> Cell:
        with choose(name).spawn(observer.argv(tree), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as group:
            stand(group.stdout, tree, observer)
            return measure(observer, lambda: group.terminate(signal.SIGKILL) and None, None)

    return run


def stand(stdout: object, tree: Tree, observer: Observer) -> None:
    """Wait until the tree stands."""
    assert stdout.readline() == b"up\n"  # type: ignore[attr-defined]
    observer.wait_for(tree.members)


@contextlib.contextmanager
def started(argv: list[str], **options: object) -> Iterator["subprocess.Popen[bytes]"]:
    """Start a command in a process group of its own and reap it in the end."""
    process = subprocess.Popen(
        argv,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        process_group=0,
        **options,  # type: ignore[call-overload]
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()


def c_program(binary: Path) -> Callable[[Tree, Observer], Cell]:
    """Measure the C program on a cgroup of its own."""

    def run(tree: Tree, observer: Observer) -> Cell:
        folder = find_unified() / f"peer-{os.getpid()}"
        folder.mkdir(exist_ok=True)
        join = ["sh", "-c", f'echo $$ > {folder}/cgroup.procs; exec "$@"', "sh"]
        times: list[float] = []

        def end() -> float:
            done = subprocess.run([binary, folder], stdout=subprocess.PIPE, check=True)
            begin, finish = (int(word) / 1e9 for word in done.stdout.split())
            times.append(finish)
            return begin

        with started([*join, *observer.argv(tree)]) as process:
            stand(process.stdout, tree, observer)
            cell = measure(observer, end, process.pid)
        folder.rmdir()
        return cell

    return run


def killer(argv: list[str]) -> Callable[[Tree, Observer], Cell]:
    """Measure a program that is given the pid of the leader."""

    def run(tree: Tree, observer: Observer) -> Cell:
        with started(observer.argv(tree)) as process:
            stand(process.stdout, tree, observer)
            return measure(
                observer, lambda: subprocess.run([*argv, str(process.pid)], check=False) and None, process.pid
            )

    return run


def wrapper(argv: list[str], number: int) -> Callable[[Tree, Observer], Cell]:
    """Measure a program that runs the command and ends it on a signal."""

    def run(tree: Tree, observer: Observer) -> Cell:
        with started([*argv, *observer.argv(tree)]) as process:
            stand(process.stdout, tree, observer)

            def end() -> None:
                process.send_signal(number)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(DEADLINE_S)

            return measure(observer, end, None)

    return run


def timeout_k(tree: Tree, observer: Observer) -> Cell:
    """Measure `timeout -k`: it has no way to be asked, so its own time limit does it."""
    return wrapper(["timeout", "-k", "0.5", "60"], signal.SIGTERM)(tree, observer)


Way = Callable[[Tree, Observer], Cell]


def peers(folder: Path) -> tuple[dict[str, Way], list[str]]:
    """Return every way that is to be had here, and what is missing."""
    found: dict[str, Way] = {}
    missing = []
    parent = find_unified()
    if parent is not None and os.access(parent, os.W_OK) and shutil.which("gcc"):
        binary = folder / "cgroup_kill"
        source = Path(__file__).with_name("groupkill_peers") / "cgroup_kill.c"
        subprocess.run(["gcc", "-O2", "-Wall", "-o", binary, source], check=True)
        found[FLOOR] = c_program(binary)
    else:
        missing.append(f"{FLOOR} (needs gcc and a cgroup v2 that can be written)")
    for name, capability in probe_all().items():
        if capability.usable:
            found[f"flakehunter {name}"] = backend(name)
    found["psutil's recipe"] = killer([sys.executable, "-c", PSUTIL])
    found["timeout -k"] = timeout_k
    if shutil.which("tini"):
        found["tini -g"] = wrapper(["tini", "-s", "-g", "--"], signal.SIGTERM)
    else:
        missing.append("tini")
    module = fetch_tree_kill()
    if module is not None:
        code = f"require({json.dumps(str(module))})(Number(process.argv[1]), 'SIGKILL', () => {{}})"
        found["tree-kill (npm)"] = killer(["node", "-e", code])
    else:
        missing.append("tree-kill (needs npm)")
    return found, missing


def fetch_tree_kill() -> Path | None:
    """Return the npm package tree-kill, fetched once; None where there is no npm to fetch it with."""
    folder = ROOT / ".cache" / "tree-kill"
    module = folder / "node_modules" / "tree-kill"
    if not module.is_dir() and shutil.which("npm"):
        folder.mkdir(parents=True, exist_ok=True)
        quiet = ["--no-audit", "--no-fund", "--loglevel=error"]
        subprocess.run(["npm", "install", *quiet, "--prefix", folder, "tree-kill@1.2.2"], check=False)
    return module if module.is_dir() else None


def cell_text(cells: list[Cell]) -> str:
    """Return the median in ms, or the share of runs with a survivor in bold."""
    bad = sum(cell.last_death_ms is None for cell in cells)
    return f"**{bad}/{len(cells)}**" if bad else f"{last_death(cells):.1f}"


def last_death(cells: list[Cell]) -> float:
    """Return the median time to the last death in ms."""
    return statistics.median(cell.last_death_ms for cell in cells if cell.last_death_ms is not None)


def bar(cells: dict[str, list[Cell]]) -> Iterator[str]:
    """Say of each way how it stands to the two bars: ms after the last death, times the C program."""
    floor = last_death(cells[FLOOR]) if FLOOR in cells else None
    for way, each in cells.items():
        after = [cell.after_death_ms for cell in each if cell.after_death_ms is not None]
        if after:
            times = "" if floor is None else f"{last_death(each) / floor:.2f}"
            yield f"| {way} | {last_death(each):.1f} | {times} | {statistics.median(after):.1f} |"


def document(names: list[str], table: dict[str, dict[str, list[Cell]]], runs: int, missing: list[str]) -> Iterator[str]:
    """Return the lines of the page; `table` is by tree and way."""
    kernel, cores = os.uname().release.split("-")[0], os.cpu_count()
    load = f"load average {LOAD[0]:.1f} before and {os.getloadavg()[0]:.1f} after"
    yield f"{cores} cores, Linux {kernel}, {load}, {runs} runs a cell."
    if missing:
        yield f"Left out: {', '.join(missing)}."
    yield "\n| way | " + " | ".join(names) + " |\n|---|" + "---|" * len(names)
    for way in table[names[0]]:
        yield f"| {way} | " + " | ".join(cell_text(table[name][way]) for name in names) + " |"
    if "fifty" in table:
        yield "\n| fifty members | ms to the last death | times the C program | ms from there to the return |"
        yield "|---|---|---|---|"
        yield from bar(table["fifty"])


def main() -> None:
    """Measure, and print the page or write its figures into a file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--trees", default=",".join(COLUMNS))
    parser.add_argument("--hogs", type=int, default=0)
    parser.add_argument("--peers", default="", help="only those whose names contain one of these, by commas")
    parser.add_argument("--write", type=Path, default=None, help="replace the figures in this file")
    arguments = parser.parse_args()
    names = arguments.trees.split(",")
    table: dict[str, dict[str, list[Cell]]] = {}
    with tempfile.TemporaryDirectory() as scratch, burning(arguments.hogs):
        ways, missing = peers(Path(scratch))
        wanted = arguments.peers.split(",")
        ways = {way: run for way, run in ways.items() if any(part in way for part in wanted)}
        for name in names:
            print(name, file=sys.stderr, flush=True)
            table[name] = {way: [] for way in ways}
            for _ in range(arguments.runs):
                for way, run in ways.items():
                    table[name][way].append(run(TREES[name], Observer(Path(scratch))))
    text = "\n".join(document(names, table, arguments.runs, missing)) + "\n"
    if arguments.write is None:
        print(text)
        return
    write_section(arguments.write, "figures", text)


if __name__ == "__main__":
    main()
