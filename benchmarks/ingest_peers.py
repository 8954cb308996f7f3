"""flakehunter's ingest beside others that read JUnit files, on the same files in the same run: writes peers.md.

    python benchmarks/ingest_peers.py [--files 2000] [--cases 500] [--rounds 2] [--bin FOLDER] [--write]

`--bin` is where the peers' commands are: `python -m venv peers && peers/bin/pip install flaktor flakebox flakeradar
unflake flakewall flakeguard flakemap test-results-parser lxml junitparser`. One that is not there, or that fails, is
named. A peer that takes one file a call is called for each. What one file takes is taken off, so that start-up does not
count.
"""

import argparse
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ingest_speed import BARE, measure, write_files

TABLE = Path(__file__).parent / "peers.md"
HEAD = """# Reading JUnit files: flakehunter beside others

Made by `make ingest-benchmarks`, all on the same files in one run; results per CPU-second (user + system, what the
first file takes taken off), the best of {rounds} rounds in which all take turns. {files} files, {results:,} results,
{size:.0f} MB, 1 % failures, on {cores} cores; load of the machine {before:.0f} at the beginning and {after:.0f} at the
end. Other work on the machine lowers every rate: compare the rates of one table only.

| what | stores in SQL | results per CPU-second | flakehunter's rate / its rate |
|---|---|---:|---:|
"""
COMMANDS = """
The commands; `RUNS` is the folder of the files, `FILES` are all of them, and `DB` is a new database.

| what | files given | command |
|---|---:|---|
"""
FLAKEBOX = """db=$1; shift; for file do "$0" --db "$db" record --junit "$file" --commit "$file" || exit; done"""
"""It takes one file a call; what its start-up costs each time is part of what it costs."""

FLAKTOR = """db=$1; shift; "$0" init --db "$db" && "$0" upload --db "$db" "$@" """

FLAKERADAR = """mkdir -p "$1" && HOME=$1 "$0" --project p --results "$2/**/*.xml" --report-out "$1/report.html" """
"""Its database lies in the home folder."""

PARSERS = {
    "ElementTree": "ET.parse(name)",
    "lxml": "etree.parse(name)",
    "junitparser": "[case.result for suite in JUnitXml.fromfile(name) for case in suite]",
    "test-results-parser": "parse_junit_xml(open(name, 'rb').read())",
}
"""What reads a file and keeps nothing."""
IMPORTS = {
    "ElementTree": "import xml.etree.ElementTree as ET",
    "lxml": "from lxml import etree",
    "junitparser": "from junitparser import JUnitXml",
    "test-results-parser": "from test_results_parser import parse_junit_xml",
}

BUILT_IN = ("flakehunter", "a bare `ET.parse` + `executemany` loop")


@dataclass(frozen=True, slots=True)
class Peer:
    """Something that reads JUnit files."""

    in_sql: bool
    files: int
    """How many files it is given: fewer for those that are slow."""
    command: Callable[[Path, Path], list[str]]
    """Of the folder with the files and the path of a database."""

    @property
    def shown(self) -> str:
        """The command as it stands in the table."""
        words = [Path(word).name if "/bin/" in word else word for word in self.command(Path("RUNS"), Path("DB"))]
        line = " ".join(shlex.quote(word) for word in words).replace(shlex.quote(BARE), "'BARE of ingest_speed.py'")
        return line.replace("|", "\\|")


def xml(folder: Path) -> list[str]:
    """Return the files in a folder."""
    return [str(path) for path in sorted(folder.rglob("*.xml"))] or ["FILES"]


def peers(programs: Path, files: int) -> dict[str, Peer]:
    """Return all that is compared, by name; `programs` is where the commands of the others are."""
    ours = [sys.executable, "-m", "flakehunter", "-q", "ingest", "--jobs", "1", "--layout", "{run_id}/*", "--db"]

    def shell(script: str, name: str) -> Callable[[Path, Path], list[str]]:
        return lambda runs, db: ["sh", "-c", script, f"{programs}/{name}", f"{db}.db", *xml(runs)]

    def parser(name: str) -> Callable[[Path, Path], list[str]]:
        script = f"import sys; {IMPORTS[name]}; all({PARSERS[name]} or True for name in sys.argv[1:])"
        return lambda runs, _: [f"{programs}/python", "-c", script, *xml(runs)]

    found = {
        BUILT_IN[0]: Peer(True, files, lambda runs, db: [*ours, f"{db}.db", str(runs)]),
        BUILT_IN[1]: Peer(True, files, lambda runs, db: [sys.executable, "-c", BARE, str(runs), f"{db}.db"]),
        "flakeradar": Peer(
            True, files, lambda runs, db: ["sh", "-c", FLAKERADAR, f"{programs}/flakeradar", f"{db}.home", str(runs)]
        ),
        "flaktor": Peer(True, files, shell(FLAKTOR, "flaktor")),
        "flakebox": Peer(True, 20, shell(FLAKEBOX, "flakebox")),
        "unflake": Peer(
            False, 400, lambda runs, _: [f"{programs}/unflake", "analyze", "--fail-on", "never", *xml(runs)]
        ),
        "flakewall": Peer(
            False, 400, lambda runs, _: [f"{programs}/flakewall", "score", "--junit", f"{runs}/**/*.xml"]
        ),
        "flakeguard": Peer(False, 400, lambda runs, _: [f"{programs}/flakeguard", "scan", str(runs)]),
        "flakemap": Peer(False, 400, lambda runs, _: [f"{programs}/flakemap", "--json", str(runs)]),
    }
    return found | {f"{name} (parses only)": Peer(False, 400, parser(name)) for name in PARSERS}


def some_files(runs: Path, count: int, target: Path) -> Path:
    """Link the first `count` files into a folder of their own."""
    for number, path in enumerate(sorted(runs.rglob("*.xml"))[:count]):
        place = target / f"{number:05d}"
        place.mkdir(parents=True)
        os.link(path, place / path.name)
    return target


def measure_peer(peer: Peer, runs: Path, files: int, place: Path) -> tuple[float, float]:
    """Return the CPU seconds for one file and for `files`; `place` is a folder for what is needed."""
    one = measure(peer.command(some_files(runs, 1, place / "one"), place / "one-db"))[0]
    return one, measure(peer.command(some_files(runs, files, place / "all"), place / "all-db"))[0]


def main() -> None:
    """Measure and print, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--cases", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--bin", type=Path, default=Path(sys.executable).parent)
    parser.add_argument("--write", action="store_true", help="write benchmarks/peers.md")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="ingest-peers-"))
    before = os.getloadavg()[0]
    try:
        runs = folder / "runs"
        write_files(runs, options.files, options.cases)
        size = sum(path.stat().st_size for path in runs.rglob("*.xml")) / 1e6
        compared = peers(options.bin, options.files)
        best: dict[str, tuple[float, float]] = {}
        for turn in range(options.rounds):
            for name, peer in compared.items():
                if turn and name not in best:
                    continue
                place = folder / f"{turn} {name}"
                try:
                    one, all_ = measure_peer(peer, runs, min(peer.files, options.files), place)
                except (subprocess.CalledProcessError, OSError) as error:
                    print(f"{name} is left out: {error}"[:300], file=sys.stderr)
                    continue
                finally:
                    shutil.rmtree(place, ignore_errors=True)
                print(f"{name}: {all_:.2f} s CPU, {one:.2f} s for one file", file=sys.stderr)
                known = best.get(name, (one, all_))
                best[name] = (min(one, known[0]), min(all_, known[1]))
        rates = {
            name: (min(compared[name].files, options.files) - 1) * options.cases / max(all_ - one, 1e-3)
            for name, (one, all_) in best.items()
        }
        text = HEAD.format(
            rounds=options.rounds,
            files=options.files,
            results=options.files * options.cases,
            size=size,
            cores=os.cpu_count(),
            before=before,
            after=os.getloadavg()[0],
        )
        for name, rate in rates.items():
            times = rates[BUILT_IN[0]] / rate
            text += f"| {name} | {'yes' if compared[name].in_sql else 'no'} | {rate:,.0f} | {times:.2f} |\n"
        text += COMMANDS
        for name in rates:
            text += f"| {name} | {min(compared[name].files, options.files)} | `{compared[name].shown}` |\n"
        print(text)
        if options.write:
            TABLE.write_text(text)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
