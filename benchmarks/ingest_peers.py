"""flakehunter's ingest beside others that read JUnit files, on the same files in the same run: writes peers.md.

    python benchmarks/ingest_peers.py [--files 2000] [--cases 500] [--bin FOLDER] [--write]

`--bin` is where the peers' commands are: `python -m venv peers && peers/bin/pip install flaktor flakebox unflake
flakewall flakeguard flakemap`. One that is not there is left out and named. A peer that takes one
file a call is called for each. What one file takes is taken off, so that start-up does not count.
"""

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from ingest_speed import BARE, measure, write_files

TABLE = Path(__file__).parent / "peers.md"
HEAD = """# Reading JUnit files: flakehunter beside others

Made by `python benchmarks/ingest_peers.py --write --bin peers/bin`, all on the same files in one run; results per
CPU-second (user + system, what the first file takes taken off). {files} files, {results:,} results, {size:.0f} MB, 1 %
failures, on {cores} cores.

| what | stores in SQL | results per CPU-second | flakehunter's rate / its rate |
|---|---|---:|---:|
"""
FLAKEBOX = """db=$1; shift; for file do "$0" --db "$db" record --junit "$file" --commit "$file" || exit; done"""
"""It takes one file a call; what its start-up costs each time is part of what it costs."""

FLAKTOR = """db=$1; shift; "$0" init --db "$db" && "$0" upload --db "$db" "$@" """

BUILT_IN = ("flakehunter", "a bare `ET.parse` + `executemany` loop")

Command = Callable[[Path, Path], list[str]]


def peers(programs: Path, files: int) -> dict[str, tuple[bool, int, Command]]:
    """Return for each peer whether it stores in SQL, how many files it is given, and its command."""

    def xml(folder: Path) -> list[str]:
        return [str(path) for path in sorted(folder.rglob("*.xml"))]

    python = [sys.executable]
    ours = [*python, "-m", "flakehunter", "-q", "ingest", "--db"]
    return {
        BUILT_IN[0]: (True, files, lambda runs, db: [*ours, f"{db}.db", str(runs), "--layout", "{run_id}/*"]),
        BUILT_IN[1]: (True, files, lambda runs, db: [*python, "-c", BARE, str(runs), f"{db}.db"]),
        "flaktor": (True, 100, lambda runs, db: ["sh", "-c", FLAKTOR, f"{programs}/flaktor", f"{db}.db", *xml(runs)]),
        "flakebox": (True, 20, lambda runs, db: ["sh", "-c", FLAKEBOX, f"{programs}/flakebox", f"{db}.db", *xml(runs)]),
        "unflake": (False, 400, lambda runs, _: [f"{programs}/unflake", "analyze", "--fail-on", "never", *xml(runs)]),
        "flakewall": (False, 400, lambda runs, _: [f"{programs}/flakewall", "score", "--junit", f"{runs}/**/*.xml"]),
        "flakeguard": (False, 400, lambda runs, _: [f"{programs}/flakeguard", "scan", str(runs)]),
        "flakemap": (False, 400, lambda runs, _: [f"{programs}/flakemap", "--json", str(runs)]),
    }


def some_files(runs: Path, count: int, target: Path) -> Path:
    """Link the first `count` files into a folder of their own."""
    for number, path in enumerate(sorted(runs.rglob("*.xml"))[:count]):
        place = target / f"{number:05d}"
        place.mkdir(parents=True)
        os.link(path, place / path.name)
    return target


def main() -> None:
    """Measure and print, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--cases", type=int, default=500)
    parser.add_argument("--bin", type=Path, default=Path(sys.executable).parent)
    parser.add_argument("--write", action="store_true", help="write benchmarks/peers.md")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="ingest-peers-"))
    rates: dict[str, tuple[bool, float]] = {}
    try:
        runs = folder / "runs"
        write_files(runs, options.files, options.cases)
        size = sum(path.stat().st_size for path in runs.rglob("*.xml")) / 1e6
        results = options.files * options.cases
        for name, (in_sql, count, command) in peers(options.bin, options.files).items():
            if name not in BUILT_IN and not (options.bin / name).exists():
                print(f"{name} is not in {options.bin}", file=sys.stderr)
                continue
            count = min(count, options.files)
            one = measure(command(some_files(runs, 1, folder / f"{name}-1"), folder / f"{name}-1-db"), check=False)[0]
            all_ = measure(command(some_files(runs, count, folder / name), folder / f"{name}-db"), check=False)[0]
            rates[name] = (in_sql, (count - 1) * options.cases / max(all_ - one, 1e-3))
            print(f"{name}: {count} files, {all_:.2f} s CPU, {one:.2f} s for one", file=sys.stderr)
        text = HEAD.format(files=options.files, results=results, size=size, cores=os.cpu_count())
        mine = rates[BUILT_IN[0]][1]
        for name, (in_sql, rate) in rates.items():
            text += f"| {name} | {'yes' if in_sql else 'no'} | {rate:,.0f} | {mine / rate:.2f} |\n"
        print(text)
        if options.write:
            TABLE.write_text(text)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
