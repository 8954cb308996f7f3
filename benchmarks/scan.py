"""How fast `flakehunter scan` reads: trees without process code, and trees with it.

    python benchmarks/scan.py [FOLDER…]

Without folders, the standard library's tests (process code) and a tree made of its other modules (none) are used. Each
tree is read twice and the best is shown, so that the disk does not count. On a machine that does other work too,
the seconds of CPU say more than those on the clock: both are shown.
"""

import os
import shutil
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

from flakehunter.scan.run import may_matter, scan

RUNS = 2


def measure(folder: Path) -> str:
    """Return one line: files, megabytes, share parsed, seconds, megabytes a second."""
    best, cpu, report = float("inf"), float("inf"), None
    for _ in range(RUNS):
        start, used = time.perf_counter(), _cpu_s()
        report = scan([folder])
        best, cpu = min(best, time.perf_counter() - start), min(cpu, _cpu_s() - used)
    assert report is not None
    size = report.size_bytes / 1e6
    return (
        f"{report.files:6} files {size:6.1f} MB {report.parsed:5} parsed {best:6.2f} s on the clock {size / best:6.1f} MB/s, "  # noqa: E501
        f"{cpu:6.2f} s of CPU {size / cpu:6.1f} MB/s a CPU  {folder}"
    )


def _cpu_s() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def plain_tree(source: Path, target: Path, wanted_bytes: int = 80_000_000) -> Path:
    """Copy the modules below `source` that have no process code, again and again, until there is enough."""
    modules = [p for p in source.rglob("*.py") if "test" not in p.parts and not may_matter(p.read_bytes())]
    size = round_ = 0
    while size < wanted_bytes:
        round_ += 1
        for module in modules:
            copy = target / str(round_) / module.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(module, copy)
            size += copy.stat().st_size
    return target


def main(arguments: list[str]) -> None:
    """Measure the given folders, or the two trees."""
    print(f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}")
    if arguments:
        for folder in arguments:
            print(measure(Path(folder)))
        return
    library = Path(sysconfig.get_path("stdlib"))
    with tempfile.TemporaryDirectory() as folder:
        print("without process code:", measure(plain_tree(library, Path(folder))))
    print("with process code:   ", measure(library))


if __name__ == "__main__":
    main(sys.argv[1:])
