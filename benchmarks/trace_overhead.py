"""How much longer a test that starts 100 processes takes under `flakehunter trace`; bare and traced runs take turns.

    python benchmarks/trace_overhead.py [--rounds N] [--shape NAME]... [--write]

`--write` puts the table into benchmarks/trace.md. Exit status 1 when a shape takes more than twice its bare time. On a
virtual machine a pair of runs is left out and made again when its host took away more than 2 % of the CPU meanwhile:
each stop of a traced call puts a CPU to sleep and wakes another, which then waits for the host. The table says how
many.
"""

import argparse
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from sections import write_section

from flakehunter.trace.command import find_strace
from flakehunter.trace.session import trace

PAGE = Path(__file__).with_name("trace.md")
MOST_TIMES = 2.0
MOST_STOLEN = 0.02
"""Share of the CPU time that the host of a virtual machine may have taken away during a pair of runs."""
MOST_REPEATS = 4
"""So many pairs for each that is wanted, at most: a host that has no quiet moment is measured as it is."""
TICK_S = os.sysconf("SC_CLK_TCK")
CHILDREN = 100
STRACE = find_strace()
SERIES = "import subprocess\nfor _ in range(100):\n    subprocess.run({}, check=True)\n"
TOGETHER = (
    "import subprocess\nchildren = [subprocess.Popen(['sleep', '0.05']) for _ in range(100)]\n"
    "assert [child.wait() for child in children] == [0] * 100\n"
)
TEST = (
    "import subprocess\n\n\ndef test_many():\n    for _ in range(100):\n        subprocess.run(['true'], check=True)\n"
)
NODE = "const { spawnSync } = require('child_process');\nfor (let i = 0; i < 100; i += 1) spawnSync('true');\n"
NODE_TEST = (
    "const { spawnSync } = require('child_process');\n"
    "require('node:test')('many', () => { for (let i = 0; i < 100; i += 1) spawnSync('true'); });\n"
)


@dataclass
class Shape:
    """A kind of test, and what was measured of it, in seconds."""

    name: str
    command: list[str]
    bare_s: list[float] = field(default_factory=list)
    traced_s: list[float] = field(default_factory=list)
    lines: int = 0
    left_out: int = 0

    @property
    def times(self) -> float:
        """Return the median traced time over the median bare time."""
        return statistics.median(self.traced_s) / statistics.median(self.bare_s)

    def row(self) -> str:
        """Return its line of the table."""
        bare, traced = (1000 * statistics.median(values) for values in (self.bare_s, self.traced_s))
        each = 1000 * (traced - bare) / CHILDREN
        return f"| {self.name} | {bare:.0f} | {traced:.0f} | {self.times:.2f} | {each:.0f} | {self.lines} |"


def shapes(folder: Path) -> Iterator[Shape]:
    """Write the programs into `folder`, and yield what to run."""
    programs = {
        "Python, 100 `true` one after the other": SERIES.format(["true"]),
        "Python, 100 `sleep 0.05` one after the other": SERIES.format(["sleep", "0.05"]),
        "Python, 100 `sleep 0.05` at once": TOGETHER,
    }
    for number, (name, text) in enumerate(programs.items()):
        program = folder / f"program{number}.py"
        program.write_text(text)
        yield Shape(name, [sys.executable, str(program)])
    (folder / "test_many.py").write_text(TEST)
    pytest = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder / "test_many.py")]
    yield Shape("pytest, a test of 100 `true`", pytest)
    if shutil.which("node"):
        (folder / "many.cjs").write_text(NODE)
        yield Shape("Node, 100 `true` one after the other", ["node", str(folder / "many.cjs")])
        (folder / "many.test.cjs").write_text(NODE_TEST)
        yield Shape("node:test, a test of 100 `true`", ["node", "--test", str(folder / "many.test.cjs")])


def stolen_s() -> float:
    """Return the CPU seconds that the host took away from this machine since it started (proc_stat(5), `steal`)."""
    return int(Path("/proc/stat").read_text().split(maxsplit=9)[8]) / TICK_S


def measure(shape: Shape, quiet: int, *, whatever: bool) -> None:
    """Run it once without strace and once with; count that if the host was quiet, or `whatever` it was."""
    stolen, started = stolen_s(), time.monotonic()
    subprocess.run(shape.command, check=True, stdout=quiet)
    bare_s = time.monotonic() - started
    result = trace(shape.command, output_to=quiet, strace=STRACE)
    assert result.exit_code == 0, shape.name
    share = (stolen_s() - stolen) / (time.monotonic() - started) / (os.cpu_count() or 1)
    if share > MOST_STOLEN and not whatever:
        shape.left_out += 1
        return
    shape.bare_s.append(bare_s)
    shape.traced_s.append(result.wall_s)
    shape.lines = result.lines


def main() -> int:
    """Measure, print, write, and tell by the exit status whether the bound holds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--shape", action="append", default=[], help="only those whose name contains this")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Path(os.devnull).open("wb") as quiet:
        chosen = [one for one in shapes(Path(folder)) if all(part in one.name for part in options.shape)]
        for number in range(options.rounds * MOST_REPEATS):
            for shape in chosen:
                if (missing := options.rounds - len(shape.bare_s)) > 0:
                    whatever = missing >= options.rounds * MOST_REPEATS - number
                    measure(shape, quiet.fileno(), whatever=whatever)
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    machine = f"{os.cpu_count()} CPUs (load {load}), Linux {platform.release()}, Python {platform.python_version()}"
    head = "| test | bare ms | traced ms | times | µs more for each child | lines of trace |\n|-|-|-|-|-|-|\n"
    text = head + "\n".join(shape.row() for shape in chosen)
    text += f"\n\nMedians of {options.rounds}, bare and traced in turns, on {machine}, "
    text += f"strace {'.'.join(map(str, STRACE.version))}. Left out, since the host took CPU away: "
    text += f"{sum(shape.left_out for shape in chosen)} pairs.\n"
    print(text)
    if options.write:
        write_section(PAGE, "overhead", text)
    return 1 if any(shape.times > MOST_TIMES for shape in chosen) else 0


if __name__ == "__main__":
    raise SystemExit(main())
