"""Feed the same JUnit files of simulated histories to `flakehunter` and to the other tools on PyPI.

Run as `python -m benchmarks.detect_peers --peers BIN`, where BIN is the folder of programs of an environment with
`pip install unflake flakewall flakeguard flakemap flaktor flakebox flaky-tests-detection`. Each tool is told the
commits where it can take them, and is asked in its own default terms which tests are flaky.
"""

import argparse
import json
import math
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.detect_history import START, Scenario, simulate, write_junit
from benchmarks.detect_simulated import PAGE, score
from benchmarks.sections import machine, write_section
from benchmarks.turns import Row, in_turns

Files = Sequence[tuple[Path, str]]
TIME_LIMIT_S = 240


@dataclass(frozen=True, slots=True)
class Place:
    """Where a tool works: its programs, the folder of JUnit files, a folder of its own."""

    programs: Path
    reports: Path
    own: Path

    def run(self, *argv: str, code: str = "", columns: int = 120, said: bool = False) -> str:
        """Return what a program of the tool's environment prints; `code` is run by its Python instead.

        With `said`, what it prints as messages.
        """
        command = (
            [str(self.programs / "python"), "-c", code, *argv] if code else [str(self.programs / argv[0]), *argv[1:]]
        )
        done = subprocess.run(
            command,
            cwd=self.own,
            env=os.environ | {"COLUMNS": str(columns)},
            capture_output=True,
            text=True,
            timeout=TIME_LIMIT_S,
            check=False,
        )
        # Some tools say by 1 that there are flaky tests; Python says by it that the tool is not there, or broke down.
        if done.returncode not in (0, 1) or "Traceback" in done.stderr:
            last = (done.stderr.strip() or "nothing said").splitlines()[-1]
            raise RuntimeError(f"{Path(command[0]).name}: exit {done.returncode}: {last}")
        return done.stderr if said else done.stdout


def flakehunter(place: Place, files: Files) -> set[str]:
    """Return the tests that `flakehunter detect` calls flaky, after a real ingest."""
    database = str(place.own / "own.db")
    program = [sys.executable, "-m", "flakehunter", "-q"]
    linked = place.own / "layout"
    for number, (path, commit) in enumerate(files):
        target = linked / commit / f"{number}-1" / "test" / "junit.xml"
        target.parent.mkdir(parents=True)
        os.link(path, target)
    layout = "{commit}/{run_id}-{attempt}/{job}/**"
    subprocess.run([*program, "ingest", str(linked), "--layout", layout, "--db", database], check=True)
    done = subprocess.run([*program, "detect", "--json", "--db", database], check=True, capture_output=True)
    return {test["name"] for test in json.loads(done.stdout)["tests"] if test["verdict"] == "flaky"}


def unflake(place: Place, files: Files) -> set[str]:
    """Files oldest first; it knows no commits."""
    document = json.loads(place.run("unflake", "analyze", "--format", "json", *(str(path) for path, _ in files)))
    return {test["id"].rpartition("::")[2] for test in document["tests"] if test["verdict"] == "flaky"}


def flakewall(place: Place, files: Files) -> set[str]:
    """Candidates of `score`; it knows no commits."""
    pattern = f"{place.reports}/**/junit.xml"
    document = json.loads(place.run("flakewall", "score", "--junit", pattern, "--json"))
    return {test["test_id"].rpartition("::")[2] for test in document["flaky_candidates"]}


def flakeguard(place: Place, files: Files) -> set[str]:
    """A manifest names the commit of each run."""
    runs = [
        {"commit": commit, "label": str(number), "reports": [str(path)]} for number, (path, commit) in enumerate(files)
    ]
    manifest = place.own / "manifest.json"
    manifest.write_text(json.dumps({"runs": runs}))
    document = json.loads(place.run("flakeguard", "scan", "--manifest", str(manifest), "--format", "json"))
    return {test["name"] for test in document["flaky_tests"]}


def flakemap(place: Place, files: Files) -> set[str]:
    """Runs are ordered by the files' times of change; it knows no commits."""
    document = json.loads(place.run("flakemap", str(place.reports), "--json"))
    return {test["test"].rpartition(".")[2] for test in document["tests"] if test["classification"] == "flaky"}


def flakebox(place: Place, files: Files) -> set[str]:
    """One `record` a file, with its commit."""
    listed = place.own / "files.json"
    listed.write_text(json.dumps([[str(path), commit] for path, commit in files]))
    place.run(
        str(listed),
        code="import json, sys; from flakebox.cli import main\n"
        "for path, commit in json.load(open(sys.argv[1])):\n"
        "    main(['--db', 'own.db', 'record', '--junit', path, '--commit', commit, '--branch', 'main'])",
    )
    document = json.loads(place.run("flakebox", "--db", "own.db", "report", "--format", "json"))
    return {re.split(r"::|\.", _name_of(test))[-1] for test in document["flaky"]}


def flaktor(place: Place, files: Files) -> set[str]:
    """One `upload` a file, with its commit."""
    listed = place.own / "files.json"
    listed.write_text(json.dumps([[str(path), commit] for path, commit in files]))
    place.run("flaktor", "init", "--db", "own.db")
    place.run(
        str(listed),
        code="import json, sys; from flaktor.cli import app\n"
        "for number, (path, commit) in enumerate(json.load(open(sys.argv[1]))):\n"
        "    app(['upload', path, '-c', commit, '-r', str(number), '-d', 'own.db'], standalone_mode=False)",
    )
    printed = place.run(
        "flaktor", "list", "--flaky", "-d", "own.db", "--days", "36500", "--limit", "100000", columns=400
    )
    return set(re.findall(r"test_\d{5}(?:_renamed)?", printed))


def flaky_tests_detection(place: Place, files: Files) -> set[str]:
    """Every test with a flip rate above 0 in one window over all runs; it has no threshold and knows no commits."""
    flat = place.own / "flat"
    flat.mkdir()
    for number, (path, _) in enumerate(files):
        os.link(path, flat / f"{number:06d}.xml")
    size = str(len(files))
    window = ["--grouping-option", "runs", "--window-size", size, "--window-count", "1", "--top-n", "100000"]
    printed = place.run("flaky", "--junit-files", str(flat), *window, said=True)
    found = re.findall(r"(?m)^(\S+) --- score: ([\d.]+)", printed)
    return {name.rpartition("::")[2] for name, rate in found if float(rate) > 0}


def _name_of(test: object) -> str:
    if isinstance(test, dict):
        return str(next(test[key] for key in ("name", "test_name", "test", "test_id", "id") if key in test))
    return str(test)


PEERS: dict[str, Callable[[Place, Files], set[str]]] = {
    "flakehunter": flakehunter,
    "unflake": unflake,
    "flakewall": flakewall,
    "flakeguard": flakeguard,
    "flakemap": flakemap,
    "flaktor": flaktor,
    "flakebox": flakebox,
    "flaky-tests-detection": flaky_tests_detection,
}


def measure(scenario: Scenario, name: str, programs: Path) -> Row:
    """Return what one tool makes of one history, or how it failed."""
    history = simulate(scenario)
    with tempfile.TemporaryDirectory() as folder:
        reports, own = Path(folder) / "reports", Path(folder) / "own"
        files = write_junit(history, reports)
        own.mkdir()
        for number, (path, _) in enumerate(files):
            moment = START.timestamp() + number * 3600
            os.utime(path, (moment, moment))
        start = time.perf_counter()
        try:
            called = PEERS[name](Place(programs.absolute(), reports, own), files)
        except subprocess.TimeoutExpired:
            return {"failed": f"not done after {TIME_LIMIT_S} s"}
        except (RuntimeError, OSError, subprocess.SubprocessError, LookupError, ValueError) as error:
            return {"failed": str(error)}
        seconds = round(time.perf_counter() - start)
    one = score(history, called)
    told = {"precision": round(one.precision, 3), "recall": round(one.recall, 3), "seconds": seconds}
    return told | {"regressed_called": one.regressed_called, "regressed": one.regressed}


def main() -> None:
    """Print a Markdown row for each tool and history."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", type=Path, required=True)
    parser.add_argument("--tests", type=int, default=500)
    parser.add_argument("--commits", type=int, default=400)
    parser.add_argument("--only", nargs="*", default=list(PEERS))
    parser.add_argument("--seconds", type=float, default=math.inf, help="begin nothing after so many seconds")
    parser.add_argument("--rows", type=Path, default=Path(".cache/detect_peers.jsonl"))
    parser.add_argument("--write", action="store_true", help="put the table into benchmarks/detect.md")
    options = parser.parse_args()
    work: list[tuple[str, Callable[[], Row]]] = []
    for per, outages in ((2, 0), (2, 3), (1, 0), (1, 3)):
        scenario = Scenario(tests=options.tests, commits=options.commits, runs_per_commit=per, outages=outages)
        where = f"{options.tests} × {options.commits}, {per} a commit" + (f", {outages} outages" if outages else "")
        work += [(f"{where} | {name}", partial(measure, scenario, name, options.peers)) for name in options.only]
    rows = in_turns(options.rows, work, seconds=options.seconds)
    lines = [
        "| history | tool | precision | recall | regressed called flaky | seconds |",
        "|---|---|---:|---:|---:|---:|",
    ]
    for key, _ in work:
        row = rows.get(key, {"failed": "not run"})
        if "failed" in row:
            lines.append(f"| {key} | {row['failed']} | | | |")
            continue
        lines.append(
            f"| {key} | {row['precision']:.3f} | {row['recall']:.3f} | {row['regressed_called']} of "
            f"{row['regressed']} | {row['seconds']} |"
        )
    print("\n".join(lines))
    if options.write:
        write_section(PAGE, "detect_peers", f"{machine()}\n\n" + "\n".join(lines))


if __name__ == "__main__":
    main()
