"""Rows of errors and escapes of each way to get a process into a Job Object, on a Windows Python under Wine.

    python benchmarks/groupkill_windows.py SITE [--starts 30] [--ours 500]

SITE is a folder of Windows packages with psutil; tests/groupkill/test_windows.py makes one in .cache/windows-site.
"""

import argparse
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "sample_data"))

import windows_python  # noqa: E402

ROWS = ROOT / "tests/groupkill/on_windows/rows.py"
BATCH = 50  # a Wine that serves one run for minutes would meet that run's time limit


def measure(python: windows_python.WindowsPython, site: Path, kind: str, starts: int, delay_ms: int) -> tuple[int, int]:
    """Return the errors and the escapes of `starts` starts."""
    errors = escapes = 0
    code = f"import runpy, sys; sys.path[:0] = {[f'Z:{ROOT}', f'Z:{site}']!r}; sys.argv[:] = sys.argv[1:]; "
    code += "runpy.run_path(sys.argv[0], run_name='__main__')"
    for begin in range(0, starts, BATCH):
        count = min(BATCH, starts - begin)
        done = python.run("-c", code, f"Z:{ROWS}", kind, str(count), str(delay_ms))
        if done.returncode:
            raise SystemExit(done.stdout)
        row = json.loads(done.stdout.splitlines()[-1])
        errors += row["errors"]
        escapes += row.get("escapes", 0)
    return errors, escapes


def main() -> None:
    """Print the rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("site", type=Path)
    parser.add_argument("--starts", type=int, default=30)
    parser.add_argument("--ours", type=int, default=500)
    arguments = parser.parse_args()
    python = windows_python.set_up(ROOT / ".cache" / "windows-python")
    site = arguments.site.resolve()
    print("| way | delay ms | starts | errors (5) | escapes |\n|---|---|---|---|---|")
    rows = [(kind, arguments.starts, delay) for kind in ("naive", "checked", "checked-259") for delay in (0, 5, 20, 60)]
    for kind, starts, delay_ms in [*rows, ("job", arguments.ours, 0), ("suspended", arguments.ours, 0)]:
        errors, escapes = measure(python, site, kind, starts, delay_ms)
        shown = "-" if kind == "checked-259" else str(escapes)
        print(f"| {kind} | {delay_ms} | {starts} | {errors} | {shown} |", flush=True)


if __name__ == "__main__":
    main()
