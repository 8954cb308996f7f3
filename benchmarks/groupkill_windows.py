"""Errors and escapes of each way to get a process into a Job Object, on a Windows Python under Wine.

    python benchmarks/groupkill_windows.py [--starts 50] [--ours 500] [--write FILE]

Needs Wine; fetches the Windows Python and its packages once, into .cache.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from sections import write_section

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/groupkill"))

from windows import ON_WINDOWS, make_site, run_on_windows  # noqa: E402

DELAYS_MS = (0, 5, 20, 60, 200)
FLAWED = {
    "naive": "naive: start, then assign",
    "checked": "checked: look at the exit code, then assign",
    "checked-259": "the same, the child exits with 259 = STILL_ACTIVE",
}
OURS = {"job": "job-object: created inside the job", "suspended": "created suspended, assigned, resumed"}
BATCH = 50  # a Wine that serves one run for minutes would meet that run's time limit


def measure(site: Path, kind: str, starts: int, delay_ms: int) -> tuple[int, int]:
    """Return the errors and the escapes of `starts` starts."""
    errors = escapes = 0
    for begin in range(0, starts, BATCH):
        done = run_on_windows(
            site, f"Z:{ON_WINDOWS / 'rows.py'}", kind, str(min(BATCH, starts - begin)), str(delay_ms), limit_s=300.0
        )
        if done.returncode:
            raise SystemExit(done.stdout)
        row = json.loads(done.stdout.splitlines()[-1])
        errors += row["errors"]
        escapes += row.get("escapes", 0)
        print(f"{kind}, {delay_ms} ms: {row}", file=sys.stderr, flush=True)
    return errors, escapes


def document(site: Path, starts: int, ours: int) -> Iterator[str]:
    """Measure, and return the lines of the tables."""
    found = {(kind, delay): measure(site, kind, starts, delay) for kind in FLAWED for delay in DELAYS_MS}
    heads = " | ".join(f"{delay} ms" for delay in DELAYS_MS)
    for title, place in (("error 5 (ACCESS_DENIED)", 0), ("grandchild escaped", 1)):
        yield f"| {title}, by the delay between start and assignment | {heads} |"
        yield "|---|" + "---|" * len(DELAYS_MS)
        for kind, words in FLAWED.items():
            if place == 0 or kind != "checked-259":
                counts = " | ".join(f"{found[kind, delay][place]}/{starts}" for delay in DELAYS_MS)
                yield f"| {words} | {counts} |"
        yield ""
    yield "| ours | errors | escapes |\n|---|---|---|"
    for kind, words in OURS.items():
        errors, escapes = measure(site, kind, ours, 0)
        yield f"| {words} | {errors}/{ours} | {escapes}/{ours} |"


def main() -> None:
    """Print the tables, or write them into a file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--starts", type=int, default=50)
    parser.add_argument("--ours", type=int, default=500)
    parser.add_argument("--write", type=Path, default=None, help="replace the figures in this file")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        text = "\n".join(document(make_site(Path(folder)), arguments.starts, arguments.ours)) + "\n"
    if arguments.write is None:
        print(text)
        return
    write_section(arguments.write, "figures", text)


if __name__ == "__main__":
    main()
