"""Record sample_data/runs anew: build the sample history, run its jobs under differing load, check the result.

`make sample-data` calls it. Every run is a real one: nothing is edited, filtered or invented. Two things only are not
the machine's own: the host name (a UTS namespace, where we may) and the interpreter's folder, which reads as that of a
hosted runner. The work happens in /home/runner/work, as on hosted runners, so that no other path gets into the record.
"""

import argparse
import concurrent.futures
import contextlib
import json
import shutil
import signal
import sys
import time
from dataclasses import asdict
from pathlib import Path

from recording import check, history, jobs, load

RUNS_PER_COMMIT = 5
FIRST_RUN_ID = 118_204_001
# How often somebody presses "re-run failed jobs": at each third run, if a job of it has failed.
RERUN_EVERY = 3
LOADS = (
    *("idle", "hogs-2", "idle", "quota-50", "idle", "hogs-4", "idle"),
    *("idle", "hogs-2", "idle", "quota-70", "hogs-8", "idle"),
)
"""Loads in turn: 13 and 5 have no common divisor, so each commit gets another selection."""


def main() -> int:
    """Record, check, and return the exit code: 1 when the record contradicts truth.json."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=RUNS_PER_COMMIT, help="runs of each commit")
    parser.add_argument("--commits", type=int, default=None, help="only the newest N commits, for a pilot")
    parser.add_argument("--out", type=Path, default=check.RUNS, help="folder to write; replaced when all is recorded")
    parser.add_argument("--windows-python", type=Path, default=history.HERE.parent / ".cache" / "windows-python")
    arguments = parser.parse_args()
    if not load.quota_works():
        print("record: no CPU quota on this machine (needs root and cgroup v1): two hogs in its place")
    # A SIGTERM must tidy up as Ctrl-C does: it ends the jobs and removes the folder.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    started = time.monotonic()
    with jobs.workplace(arguments.windows_python) as place:
        commits = history.build(place.checkout)
        shutil.copytree(history.PROJECT / "node_modules", place.checkout / "node_modules", symlinks=True)
        fresh = place.folder / "record"
        for number, commit in enumerate(commits):
            if arguments.commits is None or number >= len(commits) - arguments.commits:
                record_commit(place, commit, fresh, arguments.runs)
        shutil.rmtree(arguments.out, ignore_errors=True)
        shutil.copytree(fresh, arguments.out)
    seconds = time.monotonic() - started
    if arguments.out == check.RUNS:
        lines = [json.dumps(asdict(commit)) for commit in commits]
        check.COMMITS.write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")
    return report(arguments.out, [commit.short for commit in commits], seconds)


def record_commit(place: jobs.Workplace, commit: history.Commit, out: Path, runs: int) -> None:
    """Run all jobs of one commit `runs` times."""
    place.check_out(commit.sha)
    for number in range(runs):
        position = (commit.number - 1) * runs + number
        run_id = FIRST_RUN_ID + 7 * position
        wanted = LOADS[position % len(LOADS)]
        began = time.monotonic()
        failed = run_jobs(place, check.JOBS, wanted, out / commit.short / f"{run_id}-1")
        again = bool(failed) and position % RERUN_EVERY == 0
        if again:
            run_jobs(place, failed, "idle", out / commit.short / f"{run_id}-2")
        print(
            f"commit {commit.number:2} {commit.short} run {run_id} {wanted:8} {time.monotonic() - began:5.1f} s"
            f"  failed: {' '.join(failed) or '-'}{' (again)' if again else ''}",
            flush=True,
        )


def run_jobs(place: jobs.Workplace, names: tuple[str, ...], wanted: str, out: Path) -> tuple[str, ...]:
    """Run some jobs side by side under a load and return those that failed."""
    kind, _, amount = wanted.partition("-")
    quotas = kind == "quota" and load.quota_works()
    hogs = int(amount) if kind == "hogs" else 2 if kind == "quota" and not quotas else 0
    with contextlib.ExitStack() as stack:
        stack.enter_context(load.hogs(hogs))
        tasks = {name: stack.enter_context(load.quota(int(amount), name)) if quotas else None for name in names}
        pool = stack.enter_context(concurrent.futures.ThreadPoolExecutor(len(names)))
        # Left by Ctrl-C or SIGTERM, the jobs are ended before the pool waits for them.
        stack.callback(place.end_jobs)
        codes = list(pool.map(lambda name: place.run_job(name, out / name, tasks[name]), names))
    for name, code in zip(names, codes, strict=True):
        if code not in (0, 1):
            log = (out / name / "console.log").read_text(encoding="utf-8", errors="replace")
            raise SystemExit(f"{log}\nrecord: {name} broke with exit code {code}; this is no failure of its tests")
    return tuple(name for name, code in zip(names, codes, strict=True) if code)


def report(out: Path, commits: list[str], seconds: float) -> int:
    """Print what was recorded and what contradicts truth.json; return the exit code."""
    results = list(check.read(out))
    truth = check.load_truth()
    rates = check.rates(results)
    size = sum(file.stat().st_size for file in out.rglob("*") if file.is_file())
    runs, seen_commits = len({(r.commit, r.run) for r in results}), len({r.commit for r in results})
    print(f"\n{runs} runs of {seen_commits} commits, {len(results)} results")
    print(f"{size / 1e6:.1f} MB, recorded in {seconds / 60:.1f} min\n")
    for test in truth["tests"]:
        seen = rates.get((test["classname"], test["name"]))
        if seen and test["kind"] != "fixed":
            both = f"both outcomes at {seen.disagreeing_commits:2} commits"
            print(f"{seen.bad:3} of {seen.results:3}, {both}  {test['id']}")
    found = check.problems(results, truth, commits)
    for problem in found:
        print(f"record: {problem}", file=sys.stderr)
    print("\nthe record contradicts truth.json" if found else "\nthe record agrees with truth.json")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
