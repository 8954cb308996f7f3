"""What a trial costs, and what it leaves: overhead, 1,000 trials, 100 kills of the harness at random moments.

    python benchmarks/repro_cost.py [--rounds 100] [--trials 1000] [--kills 100] [--no-write]

The overhead is the wall time of a trial of `sleep 0.05` over that of the bare command, medians of interleaved rounds. A
trial of the second part leaves two processes behind, one in a session of its own; the harness of the third part runs
such trials under a random stressor and gets SIGKILL after a random time. Both parts then look for processes by an
environment variable that all of them inherit, for files in the temporary folder, and for cgroups. Ten minutes.
"""

import argparse
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from sections import write_section

from flakehunter.groupkill.linux.procfs import read_environ, snapshot
from flakehunter.repro.bench import Arm, Bench, TrialResult, start_nurseries
from flakehunter.repro.command import plain_command
from flakehunter.repro.linux.nurseries import start_nursery
from flakehunter.repro.linux.quota import quota_parents
from flakehunter.repro.stressors import find_stressor, parse_stress
from flakehunter.repro.trial import TrialSpec

PAGE = Path(__file__).with_name("repro.md")
BARE = ("sleep", "0.05")
LEAVES = "setsid sleep 300 & sleep 301 & exit 1"
MARK = "REPRO_COST_MARK"
KILLED_STRESSORS = ("none", "control", "delay:exit:1s@2", "cpu:2", "quota:50", "reap-delay:5s")
LIMIT_S = 30.0


def overhead_ms(rounds: int) -> dict[str, float]:
    """Return the median of milliseconds over the bare command, by stressor."""
    stresses = {name: parse_stress(name) for name in ("none", "control", "delay:exit:0ms@1")}
    times: dict[str, list[float]] = {name: [] for name in ("bare", *stresses)}
    with tempfile.TemporaryDirectory() as folder, start_nursery() as nursery:
        spec = TrialSpec(BARE, folder, dict(os.environ), f"{folder}/out", 60.0)
        for _ in range(rounds):
            begin = time.monotonic()
            subprocess.run(BARE, check=True)
            times["bare"].append(time.monotonic() - begin)
            for name, stress in stresses.items():
                begin = time.monotonic()
                nursery.run(stress.apply(spec))
                times[name].append(time.monotonic() - begin)
    bare = statistics.median(times.pop("bare"))
    return {name: (statistics.median(taken) - bare) * 1000 for name, taken in times.items()}


class Nobody:
    """A recorder that keeps nothing."""

    def trial(self, result: TrialResult) -> None:
        """Forget the trial."""


def marked(value: str) -> list[int]:
    """Return the living processes with the mark."""
    word = f"{MARK}={value}".encode()
    return [stat.pid for stat in snapshot().values() if not stat.is_dead and word in (read_environ(stat.pid) or b"")]


def cgroups() -> list[Path]:
    """Return the quota cgroups that are there."""
    return [folder for parent, _ in quota_parents() for folder in parent.glob("flakehunter-*-quota")]


def many_trials(count: int) -> str:
    """Run `count` trials that leave processes; return what is left of them."""
    value = f"many-{os.getpid()}"
    quota = "quota:90+" if find_stressor("quota").probe().usable else ""
    stresses = [parse_stress(text) for text in ("none", "control", f"{quota}cpu:1", "delay:exit:5ms@2")]
    left = 0
    with tempfile.TemporaryDirectory() as work, ExitStack() as stack:
        command = plain_command(["env", f"{MARK}={value}", "bash", "-c", LEAVES], Path(work))
        bench = Bench(Path(work), Nobody(), lambda *_: None, time_limit_s=60.0, budget_s=3600.0)
        bench.nurseries, _ = start_nurseries([command], Path(work), stack, warm=False, time_limit_s=60.0)
        arm = Arm("flawed", command, "")
        for number in range(count):
            bench.trial(arm, stresses[number % len(stresses)])
            left += len(marked(value))
        files = sorted(path.name for path in Path(work).rglob("*") if path.is_file())
    return (
        f"{count} trials, {arm.left_behind} of which left processes behind: {left} processes, {len(cgroups())} cgroups "
        f"and {len([name for name in files if name != 'output.txt'])} files beside the output were left."
    )


def kills(count: int) -> str:
    """Kill `count` harnesses at random moments; return what is left of them."""
    dice = random.Random(4)
    usable = [text for text in KILLED_STRESSORS if find_stressor(text.partition(":")[0]).probe().usable]
    processes = files = 0
    for number in range(count):
        value = f"kill-{os.getpid()}-{number}"
        with tempfile.TemporaryDirectory() as work:
            temporary = Path(work, "tmp")
            temporary.mkdir()
            stress = dice.choice(usable)
            words = ["--db", f"sqlite:///{work}/x.db", "--stress", stress, "--trials", "1000"]
            argv = [sys.executable, "-m", "flakehunter", "repro", *words, "--", "bash", "-c", LEAVES]
            environment = {**os.environ, MARK: value, "TMPDIR": str(temporary)}
            harness = subprocess.Popen(
                argv, cwd=work, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            time.sleep(dice.uniform(0.0, 3.0))
            harness.send_signal(signal.SIGKILL)
            harness.wait()
            deadline = time.monotonic() + LIMIT_S
            while (marked(value) or list(temporary.iterdir())) and time.monotonic() < deadline:
                time.sleep(0.02)
            processes += len(marked(value))
            files += len(list(temporary.iterdir()))
    return f"{count} kills: {processes} processes, {len(cgroups())} cgroups and {files} files were left."


def main() -> None:
    """Print all three, and write them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--no-write", action="store_true")
    arguments = parser.parse_args()
    costs = ", ".join(f"{cost:.0f} ms under `{name}`" for name, cost in overhead_ms(arguments.rounds).items())
    lines = [f"- A trial takes longer than the bare command by {costs} (medians of {arguments.rounds})."]
    print(lines[-1], flush=True)
    for measure, count in ((many_trials, arguments.trials), (kills, arguments.kills)):
        lines.append(f"- {measure(count)}")
        print(lines[-1], flush=True)
    if not arguments.no_write:
        write_section(PAGE, "cost", "\n".join(lines))


if __name__ == "__main__":
    main()
