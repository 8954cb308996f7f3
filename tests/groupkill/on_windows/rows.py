"""Run by a Windows Python: the rows of errors and of escapes for each way to get a process into a Job Object.

    python rows.py KIND STARTS DELAY_MS      KIND: naive, checked, checked-259, job, suspended

Prints one JSON object: starts, errors (how often error 5 came, swallowed or not) and escapes (how often a grandchild
was outside of the job).
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from flakehunter.groupkill.windows import api
from flakehunter.groupkill.windows.job import CheckedJobBackend, JobBackend, NaiveJobBackend, create_suspended

# Ends at once, with an exit code that says "still active" where that is asked for.
QUICK = {"checked-259": ["cmd", "/c", "exit 259"]}
# A child that starts a grandchild at once; the grandchild says `up` and waits for input.
FAMILY = ["cmd", "/c", "child.bat"]
CHILD = b"@%COMSPEC% /c grandchild.bat\r\n"
GRANDCHILD = b"@echo up\r\n@set /p x=\r\n"


class Suspended(JobBackend):
    """The way of systems that know no job lists."""

    def contain(self, job, create):
        return create_suspended(job, create), True


def backend(kind: str, delay_s: float) -> JobBackend:
    """Return the backend of one row; the checked one is made to show the error that it would swallow."""
    if kind == "naive":
        return NaiveJobBackend(delay_s)
    if kind.startswith("checked"):
        checked = CheckedJobBackend(delay_s)
        checked.swallows = False
        return checked
    return Suspended() if kind == "suspended" else JobBackend()


def count_errors(kind: str, starts: int, delay_s: float) -> int:
    """Start a command that ends at once; count how often the assignment says ERROR_ACCESS_DENIED."""
    errors = 0
    for _ in range(starts):
        try:
            with backend(kind, delay_s).spawn(
                QUICK.get(kind, ["cmd", "/c", "exit 3"]), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
            ) as group:
                assert group.wait(30) in (3, 259)
                assert group.terminate(grace_s=0).clean
        except OSError as error:
            if error.winerror != api.ERROR_ACCESS_DENIED:
                raise
            errors += 1
    return errors


def count_escapes(kind: str, starts: int, delay_s: float) -> int:
    """Start a command with a grandchild; count how often only one of the two is in the job."""
    escapes = 0
    folder = Path(tempfile.mkdtemp())
    (folder / "child.bat").write_bytes(CHILD)
    (folder / "grandchild.bat").write_bytes(GRANDCHILD)
    pipe = subprocess.PIPE
    for _ in range(starts):
        with backend(kind, delay_s).spawn(FAMILY, stdin=pipe, stdout=pipe, cwd=folder) as group:
            assert group.stdout.readline().strip() == b"up"
            inside = group.job.active()
            assert inside <= 2, inside
            escapes += inside < 2
            report = group.terminate(grace_s=0)
            group.stdin.close()  # ends a grandchild that was left outside
            assert report.clean
            assert group.stdout.read() == b""
    return escapes


def main() -> None:
    """Measure one row."""
    kind, starts, delay_s = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]) / 1000
    begin = time.perf_counter()
    row = {"kind": kind, "starts": starts, "delay_ms": sys.argv[3], "errors": count_errors(kind, starts, delay_s)}
    if kind != "checked-259":
        row["escapes"] = count_escapes(kind, starts, delay_s)
    print(json.dumps({**row, "seconds": round(time.perf_counter() - begin, 2)}), flush=True)


main()
