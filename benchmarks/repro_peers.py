"""CPU-seconds to the first failure, from nothing known: `repro` and other tools on the same flawed tests.

    python benchmarks/repro_peers.py --peers BIN [NAME...] [--cap 40] [--fresh] [--no-write]

BIN is the folder of programs of an environment with `pip install pytest pytest-flakefinder pytest-flakedoctor
flaky-repro`; without it only plain reruns, stress-ng and Shaker's configurations are compared. Every tool runs the
flawed variant as a command that notes its first failure; then the tool is ended, and all its processes are reaped, so
that the kernel's sum counts everybody, stressors and start-up too. A tool that has used up `--cap` CPU-seconds (or four
times as many seconds) without a failure is ended as well. Finished cells are kept in .cache/peers-repro.jsonl. Forty
minutes on a quiet machine for the default pairs; Shaker's configurations take up to 73 % of the memory.
"""

import argparse
import json
import os
import resource
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "corpus"))

from sections import write_section  # noqa: E402
from termination_corpus import Pair, load_pairs  # noqa: E402

from flakehunter.groupkill.linux.procfs import descendants  # noqa: E402
from flakehunter.groupkill.linux.sweep import become_subreaper, sweep  # noqa: E402

DEFAULT = ("v1s_group_pause", "v6b_mp_terminate", "v9_short_deadline", "bash_kill_0")
KEPT = ROOT / ".cache" / "peers-repro.jsonl"
PAGE = ROOT / "benchmarks" / "repro.md"
TICK_S = os.sysconf("SC_CLK_TCK")
OURS = "flakehunter"

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


def cost(argv: Sequence[str], folder: Path, marker: Path, cap_cpu_s: float) -> dict[str, float | bool]:
    """Run a tool until the marker is there, it ends, or it has used up its share; return whether, and what it took.

    What it leaves in the temporary folder goes with `folder`: its own clean-up is killed with it.
    """
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    process = subprocess.Popen(
        argv, cwd=folder, start_new_session=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "TMPDIR": str(folder)},
    )  # fmt: skip
    while not marker.exists() and process.poll() is None:
        if tree_cpu_s() >= cap_cpu_s or time.monotonic() - begin >= 4 * cap_cpu_s:
            break
        time.sleep(0.05)
    wall_s = time.monotonic() - begin
    gave_up = process.returncode is not None and not marker.exists()
    sweep(groups=[process.pid] if process.returncode is None else (), deadline_s=20.0)
    process.returncode = process.returncode or 0  # the sweep has reaped it
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
    return {"failed": marker.exists(), "gave_up": gave_up, "wall_s": round(wall_s, 2), "cpu_s": round(cpu_s, 2)}


def measure(pair: Pair, peers: Path | None, cap_s: float, known: Callable[[str, str], bool]) -> list[dict[str, object]]:
    """Run every tool that is not known yet on the flawed variant of a pair."""
    rows: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        marker = folder / "failed"
        words = shlex.join(pair.command("flawed", folder))
        for name, argv in tools(f"{words} || {{ s=$?; touch {marker}; exit $s; }}", folder, peers).items():
            if known(pair.name, name):
                continue
            marker.unlink(missing_ok=True)
            rows.append({"pair": pair.name, "tool": name, **cost(argv, folder, marker, cap_s)})
            print(rows[-1], file=sys.stderr, flush=True)
    return rows


def cell_text(row: dict[str, object]) -> str:
    """Return what the table says of one tool on one test."""
    return str(row["cpu_s"]) if row["failed"] else f"{'never' if row['gave_up'] else '>'} {row['cpu_s']}"


def table(rows: Sequence[dict[str, object]], cap_s: float) -> str:
    """Return the table in Markdown; `>` stands before what was ended without a failure."""
    cells = {(str(row["pair"]), str(row["tool"])): row for row in rows}
    pairs, names = (list(dict.fromkeys(str(row[key]) for row in rows)) for key in ("pair", "tool"))
    ratios = []
    for pair in pairs:
        own = cells.get((pair, OURS))
        others = [cells[pair, name] for name in names if name != OURS and (pair, name) in cells]
        if own is not None and own["failed"] and others:
            # One that gave up never gets there; one that was stopped would have needed more still.
            reached = [row for row in others if row["failed"]]
            counted = reached or [row for row in others if not row["gave_up"]] or others
            ratios.append(min(float(str(row["cpu_s"])) for row in counted) / max(0.01, float(str(own["cpu_s"]))))
    ratio = statistics.median(ratios) if ratios else float("nan")
    summary = (
        f"CPU-seconds to the first failure; `>`: stopped at about {cap_s:g} CPU-seconds without one; `never`: ended by "
        f"itself without one. The best other tool needs {ratio:.2g} times as many in the median of {len(ratios)} tests "
        "(at least: where none of them got there, the least that one had used up when it was stopped counts)."
    )
    lines = [summary, "", "| tool | " + " | ".join(pairs) + " |", "|-" * (len(pairs) + 1) + "|"]
    for name in names:
        shown = []
        for pair in pairs:
            row = cells.get((pair, name))
            shown.append("-" if row is None else cell_text(row))
        lines.append(f"| {name} | " + " | ".join(shown) + " |")
    return "\n".join(lines)


def main() -> None:
    """Measure what is missing, then print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--peers", type=Path)
    parser.add_argument("--cap", type=float, default=40.0)
    parser.add_argument("--fresh", action="store_true")
    parser.add_argument("--no-write", action="store_true")
    arguments = parser.parse_args()
    become_subreaper()
    KEPT.parent.mkdir(exist_ok=True)
    if arguments.fresh:
        KEPT.unlink(missing_ok=True)
    rows = [json.loads(line) for line in KEPT.read_text().splitlines()] if KEPT.exists() else []
    wanted = arguments.names or DEFAULT
    with KEPT.open("a") as kept:
        for pair in load_pairs():
            if pair.name in wanted and pair.tool_is_here:
                done = {(row["pair"], row["tool"]) for row in rows}
                new = measure(pair, arguments.peers, arguments.cap, lambda *cell, done=done: cell in done)
                kept.writelines(json.dumps(row) + "\n" for row in new)
                kept.flush()
                rows += new
    text = table([row for row in rows if row["pair"] in wanted], arguments.cap)
    print(text)
    if not arguments.no_write:
        write_section(PAGE, "peers", text)


if __name__ == "__main__":
    main()
