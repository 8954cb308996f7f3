"""CPU-seconds to the first failure, from nothing known: `repro` and other tools on the same flawed tests.

    python benchmarks/repro_peers.py --peers BIN [NAME... | --every N] [--minutes M] [--fresh] [--no-write]

BIN is the folder of programs of an environment with `pip install pytest pytest-flakefinder pytest-flakedoctor
flaky-repro`; without it only plain reruns, stress-ng and Shaker's configurations are compared. Every tool runs the
flawed variant as a command that notes its first failure; then the tool is ended, and all its processes are reaped, so
that the kernel's sum counts everybody, stressors and start-up too. Ours goes first; another tool is ended without a
failure when it has used up GOAL times as many CPU-seconds as ours on the same test (or `WALL` times that in seconds).

Without names every third pair by name is taken; `--every 1` takes all. Finished cells are kept in
.cache/peers-repro.jsonl, so that `--minutes` may cut the work into turns. Half an hour on a quiet machine for every
third pair; Shaker's configurations take up to 73 % of the memory.
"""

import argparse
import json
import os
import resource
import shlex
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "corpus"))

from sections import write_section  # noqa: E402
from termination_corpus import Pair, load_pairs  # noqa: E402

from flakehunter.groupkill.linux.procfs import descendants  # noqa: E402
from flakehunter.groupkill.linux.sweep import become_subreaper, sweep  # noqa: E402

EVERY = 3
GOAL = 20.0
"""So many times as many CPU-seconds as ours the best other tool should need."""

WALL = 10.0
LEAST_CAP_S = 5.0
"""CPU-seconds that every tool is given at least: some need two for their own start."""

LOOK_EVERY_S, COUNT_EVERY_S = 0.005, 0.25
KEPT = ROOT / ".cache" / "peers-repro.jsonl"
PAGE = ROOT / "benchmarks" / "repro.md"
TICK_S = os.sysconf("SC_CLK_TCK")
OURS = "flakehunter"
CAP_OF_OURS_S = 30.0

Row = dict[str, Any]
"""One cell: pair, tool, load before it, and what `cost` returns."""

SHAKER = ((2, 2, 21), (1, 58, 33), (1, 61, 73), (1, 34, 37))
"""(CPU workers, CPU load, percent of memory) of the four configurations of Silva et al., "Shake It! Detecting Flaky
Tests Caused by Concurrency with Shaker" (ICSME 2020), from stressConfigurations.json of STAR-RG/shaker."""

FOREVER = "while {command}; do :; done"
PYTEST = """
import subprocess

def test_pair():
    done = subprocess.run({command!r}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
"""


def tools(command: str, folder: Path, peers: Path | None) -> dict[str, list[str]]:
    """Return what each tool is called with; `command` is a line for bash."""
    (folder / "test_pair.py").write_text(PYTEST.format(command=["bash", "-c", command]))
    loop = FOREVER.format(command=f"bash -c {shlex.quote(command)}")
    shaker = "; ".join(
        f"stress-ng --quiet --cpu {cpus} --cpu-load {load} --vm 1 --vm-bytes {memory}% & s=$!; "
        f"for i in 1 2 3 4 5; do bash -c {shlex.quote(command)}; done; kill $s; wait $s"
        for cpus, load, memory in SHAKER
    )
    found = {
        OURS: [sys.executable, "-m", "flakehunter", "repro", "--db", f"sqlite:///{folder}/x.db", "--budget", "120s",
               "--", "bash", "-c", command],
        "plain rerun": ["bash", "-c", loop],
        **{f"stress-ng --cpu {n}": ["bash", "-c", f"stress-ng --quiet --cpu {n} & {loop}"] for n in (2, 8, 32)},
        "Shaker's four": ["bash", "-c", f"while :; do {shaker}; done"],
    }  # fmt: skip
    if peers is not None:
        found |= {
            "pytest-flakefinder": [f"{peers}/python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "-x",
                                   "--flake-finder", "--flake-runs=2000", "test_pair.py"],
            "pytest-flakedoctor": [f"{peers}/flakedoctor", "test_pair.py::test_pair", "--doctor-budget=600",
                                   "--doctor-allow-side-effects", "-p", "no:cacheprovider"],
            "flaky-repro": [f"{peers}/flaky-repro", "test_pair.py::test_pair"],
        }  # fmt: skip
    return found


def tree_cpu_s() -> float:
    """Return the CPU seconds of everything below this process, as far as it has been reaped by somebody who lives."""
    total = 0.0
    for stat in descendants(os.getpid()):
        try:
            fields = Path(f"/proc/{stat.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += sum(int(word) for word in fields[11:15]) / TICK_S
    return total


def cost(argv: Sequence[str], folder: Path, marker: Path, cap_cpu_s: float) -> Row:
    """Run a tool until the marker is there, it ends, or it has used up its share; return whether, and what it took.

    What it leaves in the temporary folder goes with `folder`: its own clean-up is killed with it.
    """
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    process = subprocess.Popen(
        argv, cwd=folder, start_new_session=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "TMPDIR": str(folder)},
    )  # fmt: skip
    count_at = begin
    try:
        while not marker.exists() and process.poll() is None:
            now = time.monotonic()
            if now - begin >= WALL * cap_cpu_s:
                break
            if now >= count_at:
                if tree_cpu_s() >= cap_cpu_s:
                    break
                count_at = now + COUNT_EVERY_S
            time.sleep(LOOK_EVERY_S)
    finally:
        wall_s = time.monotonic() - begin
        gave_up = process.returncode is not None and not marker.exists()
        sweep(groups=[process.pid] if process.returncode is None else (), deadline_s=20.0)
    process.returncode = process.returncode or 0  # the sweep has reaped it
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
    return {"failed": marker.exists(), "gave_up": gave_up, "wall_s": round(wall_s, 2), "cpu_s": round(cpu_s, 2)}


def measure(pair: Pair, peers: Path | None, known: dict[str, Row], until_s: float) -> Iterator[Row]:
    """Run every tool that is not known yet on the flawed variant of a pair, until the moment `until_s`; ours first."""
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        marker = folder / "failed"
        words = shlex.join(pair.command("flawed", folder))
        cap_s = CAP_OF_OURS_S
        for name, argv in tools(f"{words} || {{ s=$?; touch {marker}; exit $s; }}", folder, peers).items():
            if name not in known:
                if time.monotonic() >= until_s:
                    return
                marker.unlink(missing_ok=True)
                known[name] = {"pair": pair.name, "tool": name, "load": round(os.getloadavg()[0], 1)}
                known[name] |= cost(argv, folder, marker, cap_s)
                print(known[name], file=sys.stderr, flush=True)
                yield known[name]
            if name == OURS:
                cap_s = max(LEAST_CAP_S, GOAL * known[name]["cpu_s"])


def cell_text(row: Row | None) -> str:
    """Return what the table says of one tool on one test."""
    if row is None:
        return "-"
    return f"{row['cpu_s']:.2f}" if row["failed"] else f"{'never' if row['gave_up'] else '>'} {row['cpu_s']:.1f}"


def best_of_pair(cells: Sequence[Row]) -> float:
    """Return the least that a tool needed; where none got there, the least that one had used when it was stopped."""
    reached = [row for row in cells if row["failed"]]
    counted = reached or [row for row in cells if not row["gave_up"]] or cells
    return min(float(row["cpu_s"]) for row in counted)


def summary(rows: Sequence[Row], pairs: Sequence[str], names: Sequence[str], told: str) -> str:
    """Return what the table says, in words; only pairs where all tools were run count."""
    cells = {(row["pair"], row["tool"]): row for row in rows}
    whole = [pair for pair in pairs if all((pair, name) in cells for name in names) and cells[pair, OURS]["failed"]]
    others = [name for name in names if name != OURS]
    if not whole or not others:
        return "No pair is complete yet."
    own = {pair: max(0.01, float(cells[pair, OURS]["cpu_s"])) for pair in whole}
    per_pair = [best_of_pair([cells[pair, name] for name in others]) / own[pair] for pair in whole]
    medians = {name: statistics.median(cells[pair, name]["cpu_s"] for pair in whole) for name in others}
    best = min(others, key=medians.__getitem__)
    against_best = [cells[pair, best]["cpu_s"] / own[pair] for pair in whole]
    loads = [row["load"] for row in rows]
    return (
        f"CPU-seconds to the first failure, one run each, on {told}. `>`: stopped without one after {GOAL:g} times "
        f"what flakehunter needed (at least {LEAST_CAP_S:g} CPU-seconds, at most {WALL:g} times that in seconds); "
        "`never`: ended by itself without one. What was stopped counts with what it had used up, so the ratios are "
        f"bounds from below. flakehunter: median {statistics.median(own.values()):.2f}, most {max(own.values()):.2f}.\n"
        "\n"
        f"- The best single tool, `{best}`, needs {statistics.median(against_best):.2g} times as many in the median of "
        f"{len(whole)} pairs. The goal, {GOAL:g} times, is about this one.\n"
        f"- The tool that happens to be the best of each pair needs {statistics.median(per_pair):.2g} times as many in "
        "the median.\n"
        f"- {os.cpu_count()} CPUs, load {min(loads):g} to {max(loads):g} at the start of a cell; other work on the "
        "machine is load for every tool here, and helps those that need load."
    )


def table(rows: Sequence[Row], told: str) -> str:
    """Return summary and table in Markdown."""
    cells = {(row["pair"], row["tool"]): row for row in rows}
    pairs, names = (list(dict.fromkeys(str(row[key]) for row in rows)) for key in ("pair", "tool"))
    lines = [
        summary(rows, pairs, names, told),
        "",
        "| pair | " + " | ".join(names) + " |",
        "|-" * (len(names) + 1) + "|",
    ]
    lines += [
        f"| {pair} | " + " | ".join(cell_text(cells.get((pair, name))) for name in names) + " |" for pair in pairs
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure what is missing, then print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--peers", type=Path)
    parser.add_argument("--every", type=int, default=EVERY)
    parser.add_argument("--minutes", type=float, default=600.0)
    parser.add_argument("--fresh", action="store_true")
    parser.add_argument("--no-write", action="store_true")
    arguments = parser.parse_args()
    until_s = time.monotonic() + 60 * arguments.minutes
    become_subreaper()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # a tool that is running, and its hogs, end with this
    KEPT.parent.mkdir(exist_ok=True)
    if arguments.fresh:
        KEPT.unlink(missing_ok=True)
    rows: list[Row] = [json.loads(line) for line in KEPT.read_text().splitlines()] if KEPT.exists() else []
    pairs = sorted(load_pairs(), key=lambda pair: pair.name)
    chosen = [pair for pair in pairs if pair.name in arguments.names] or pairs[:: arguments.every]
    chosen = [pair for pair in chosen if pair.tool_is_here]
    with KEPT.open("a") as kept:
        for pair in chosen:
            known = {row["tool"]: row for row in rows if row["pair"] == pair.name}
            for row in measure(pair, arguments.peers, known, until_s):
                kept.write(json.dumps(row) + "\n")
                kept.flush()
                rows.append(row)
    names = {pair.name for pair in chosen}
    told = f"{len(names)} of {len(pairs)} pairs" + (
        f" (every {arguments.every}. by name)" if not arguments.names else ""
    )
    text = table([row for row in rows if row["pair"] in names], told)
    print(text)
    if not arguments.no_write:
        write_section(PAGE, "peers", text)


if __name__ == "__main__":
    main()
