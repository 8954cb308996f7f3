"""How fast `flakehunter scan` reads: trees without process code, and trees with it.

    python benchmarks/scan.py [--write] [FOLDER…]

Without folders, three trees are made of the standard library and what is installed beside it: its modules without
process code, all of it, and only the files that are parsed. Each tree is read twice and the best is shown, so that the
disk does not count. On a machine that does other work too, the seconds of CPU say more than those on the clock: both
are shown. `--write` writes the table to benchmarks/scan.md.
"""

import os
import shutil
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

from sections import machine

from flakehunter.scan.run import may_matter, scan

RUNS = 2
PAGE = Path(__file__).with_suffix(".md")


def measure(name: str, folder: Path) -> str:
    """Return one row: files, megabytes, files parsed, seconds on the clock and of CPU, megabytes a second of each."""
    best, cpu, report = float("inf"), float("inf"), None
    for _ in range(RUNS):
        start, used = time.perf_counter(), _cpu_s()
        report = scan([folder])
        best, cpu = min(best, time.perf_counter() - start), min(cpu, _cpu_s() - used)
    assert report is not None
    size = report.size_bytes / 1e6
    return (
        f"| {name} | {report.files:,} | {size:.1f} | {report.parsed:,} | {best:.2f} | {size / best:.1f} | {cpu:.2f} | "
        f"{size / cpu:.1f} |"
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
            size += _copy(module, target / str(round_) / module.relative_to(source))
    return target


def parsed_tree(source: Path, target: Path) -> Path:
    """Copy the modules below `source` that may have process code."""
    for module in source.rglob("*.py"):
        if may_matter(module.read_bytes()):
            _copy(module, target / module.relative_to(source))
    return target


def _copy(source: Path, target: Path) -> int:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    return target.stat().st_size


def table(folders: list[Path]) -> str:
    """Measure the given folders, or the three trees, and return the page."""
    rows = [
        machine(),
        "",
        "| tree | files | MB | parsed | s on the clock | MB/s | s of CPU | MB/s a CPU |",
        "|---|---|---|---|---|---|---|---|",
    ]
    library = Path(sysconfig.get_path("stdlib"))
    with tempfile.TemporaryDirectory() as folder:
        if folders:
            rows += [measure(str(given), given) for given in folders]
        else:
            rows.append(measure("without process code", plain_tree(library, Path(folder) / "plain")))
            rows.append(measure("the library, its tests and what is installed", library))
            rows.append(measure("only the files that are parsed", parsed_tree(library, Path(folder) / "parsed")))
    return "\n".join(rows)


def main(arguments: list[str]) -> None:
    """Measure, print, and write where that is asked for."""
    page = table([Path(given) for given in arguments if given != "--write"])
    print(page)
    if "--write" in arguments:
        PAGE.write_text(f"# How fast `flakehunter scan` reads\n\nMade by `python benchmarks/scan.py --write`. {page}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
