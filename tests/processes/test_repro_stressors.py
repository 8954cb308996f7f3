"""Stressors do to a real trial what they say, and nothing of them is left after it."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cgroups import cgroups_of
from judge import await_childless

from flakehunter.errors import UsageError
from flakehunter.groupkill.linux.procfs import read_stat
from flakehunter.repro.linux.nurseries import ForkNursery, start_nursery
from flakehunter.repro.linux.quota import quota_parents
from flakehunter.repro.stressors import find_stressor, parse_stress, stressor_names
from flakehunter.repro.trial import Nursery, TrialError, TrialReport, TrialSpec

ABOUT = """
import os, subprocess, sys, time
def stat(pid): return open(f'/proc/{pid}/stat').read().rpartition(')')[2].split()
def beside():
    mine = os.getppid()
    return [int(c) for c in open(f'/proc/{mine}/task/{mine}/children').read().split() if int(c) != os.getpid()]
def wait(condition):
    end = time.monotonic() + 90
    while not condition():
        if time.monotonic() > end: sys.exit(9)
        time.sleep(0.002)
"""


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 90
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.fixture(scope="module")
def nursery() -> Iterator[ForkNursery]:
    with start_nursery() as started:
        yield started


@pytest.fixture(autouse=True)
def no_process_left(nursery: ForkNursery) -> Iterator[None]:
    """Watch for what a trial leaves below the nursery, instead of for the nursery itself."""
    yield
    await_childless(nursery.pid, within_s=60)


def usable(stress: str) -> str:
    """Leave a test out where its stressor cannot work on this machine, by the stressor's own probe."""
    for part in stress.split("+"):
        capability = find_stressor(part.partition(":")[0]).probe()
        if not capability.usable:
            pytest.skip(f"{part}: {capability.reason}")
    return stress


def run(nursery: Nursery, folder: Path, code: str, stress: str, *, window_from: int = 0) -> TrialReport:
    argv = (sys.executable, "-S", "-c", ABOUT + code)
    spec = TrialSpec(argv, str(folder), dict(os.environ), str(folder / "out"), 100.0, window_from=window_from)
    report = nursery.run(parse_stress(usable(stress)).apply(spec))
    assert report.clean
    return report


THERE = {
    "cpu:3": "wait(lambda: sum(stat(p)[0] == 'R' and stat(p)[3] == str(p) for p in beside()) == 3)",
    "one-cpu+cpu:1": """
wait(lambda: [os.sched_getaffinity(p) for p in beside()] == [os.sched_getaffinity(0)])
assert len(os.sched_getaffinity(0)) == 1
""",
    "preempt:5ms": """
wait(lambda: all(os.sched_getscheduler(p) == os.SCHED_FIFO for p in beside()))
assert len(beside()) == os.cpu_count()
""",
    "memory:2": """
available = next(int(line.split()[1]) for line in open('/proc/meminfo') if line.startswith('MemAvailable'))
wait(lambda: int(open(f'/proc/{beside()[0]}/statm').read().split()[1]) * 4 > available * 0.015)
assert open(f'/proc/{beside()[0]}/oom_score_adj').read().strip() == '1000'
""",
    "io:2": """
def files(p): return [os.readlink(f'/proc/{p}/fd/{f}') for f in os.listdir(f'/proc/{p}/fd')]
wait(lambda: all(any('.io-' in name for name in files(p)) for p in beside()))
assert len(beside()) == 2
""",
    "stress-ng:--cpu 2": """
wait(lambda: all('stress-ng' in open(f'/proc/{p}/comm').read() for p in beside()))
wait(lambda: open(f'/proc/{beside()[0]}/task/{beside()[0]}/children').read().split())
""",
}


@pytest.mark.parametrize(("stress", "code"), THERE.items(), ids=list(THERE))
def test_a_load_is_there_while_the_trial_runs(nursery: Nursery, tmp_path: Path, stress: str, code: str) -> None:
    report = run(nursery, tmp_path, code, stress)
    assert report.status == 0, (tmp_path / "out").read_text()
    assert [process.argv for process in report.processes][1:] == []
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


BURN = """
end, begin = time.monotonic() + 0.6, time.process_time()
while time.monotonic() < end: pass
print(time.process_time() - begin, os.getppid())
"""


def test_a_quota_is_kept_and_its_cgroup_goes(nursery: Nursery, tmp_path: Path) -> None:
    run(nursery, tmp_path, BURN, "quota:20")
    used_s, supervisor = (tmp_path / "out").read_text().split()
    assert float(used_s) < 0.4
    assert not [folder for parent, _ in quota_parents() for folder in cgroups_of([int(supervisor)], parent)]


def test_a_killed_supervisor_leaves_no_quota(nursery: Nursery, tmp_path: Path) -> None:
    usable("quota")
    with pytest.raises(TrialError, match="supervisor died"):
        run(nursery, tmp_path, "print(os.getppid(), flush=True); os.kill(os.getppid(), 9); time.sleep(100)", "quota:50")
    supervisor = int((tmp_path / "out").read_text())
    until(lambda: (found := read_stat(supervisor)) is None or found.is_dead)  # its socket is closed a moment before
    run(nursery, tmp_path, "", "quota:50")  # the next one takes away what is left
    assert not [folder for parent, _ in quota_parents() for folder in cgroups_of([supervisor], parent)]


DEMOTED = """
child = subprocess.Popen(["bash", "-c", "setsid sleep 300 & echo $!; wait"], stdout=subprocess.PIPE, text=True)
grandchild = int(child.stdout.readline())
wait(lambda: os.sched_getscheduler(grandchild) == os.SCHED_IDLE)
assert os.sched_getscheduler(child.pid) == os.sched_getscheduler(0) == os.SCHED_OTHER
"""


def test_only_settled_grandchildren_are_demoted(nursery: Nursery, tmp_path: Path) -> None:
    report = run(nursery, tmp_path, DEMOTED, "demote")
    assert report.status == 0, (tmp_path / "out").read_text()


ORPHANS = """
reader, writer = os.pipe()
line = "exec 3<&0; (read x <&3 & echo $!)"
child = subprocess.Popen(["bash", "-c", line], stdin=reader, stdout=subprocess.PIPE, text=True)
orphan = int(child.stdout.readline())
child.wait()
os.close(reader); os.close(writer)
wait(lambda: stat(orphan)[0] == 'Z')
time.sleep(0.2)
assert stat(orphan)[0] == 'Z'
"""


def test_without_a_reaper_orphans_stay_zombies_to_the_end(nursery: Nursery, tmp_path: Path) -> None:
    report = run(nursery, tmp_path, ORPHANS, "no-reaper")
    assert report.status == 0, (tmp_path / "out").read_text()


WINDOW = """
import signal
states = lambda: {stat(p)[0] for p in beside() if int(stat(p)[3]) == p}
wait(lambda: states() == {'T'})
child = subprocess.Popen(["sleep", "300"])
wait(lambda: states() == {'R'})
child.kill(); child.wait()
wait(lambda: states() == {'T'})
"""


@pytest.mark.parametrize("stress", ["cpu:2", "control+cpu:2"])
def test_loads_that_wait_run_while_the_victim_lives(nursery: Nursery, tmp_path: Path, stress: str) -> None:
    report = run(nursery, tmp_path, WINDOW, stress, window_from=2)
    assert (report.status, report.window_opened) == (0, True), (tmp_path / "out").read_text()


def test_a_victim_that_never_comes_is_told(nursery: Nursery, tmp_path: Path) -> None:
    assert not run(nursery, tmp_path, "", "cpu:1", window_from=2).window_opened


PLUGIN = """
from dataclasses import dataclass, replace
from flakehunter.repro.stressors import Capability
from flakehunter.repro.trial import Load

@dataclass(frozen=True, slots=True)
class Noise:
    usage = "noise"
    summary = "a sleep beside the test"
    needs = ""
    side_effects = ""
    spec = "noise"
    @classmethod
    def parse(cls, argument): return cls()
    @classmethod
    def probe(cls): return Capability(usable=True)
    def apply(self, trial): return replace(trial, loads=(*trial.loads, Load("command", argv=("sleep", "299"))))
"""


def install(folder: Path, name: str, code: str, entry: str) -> None:
    """Put a package with an entry point into `folder`, as pip does it; tests/docs installs one with pip itself."""
    (folder / f"{name}.py").write_text(code)
    metadata = folder / f"{name}-1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
    (metadata / "entry_points.txt").write_text(f"[flakehunter.stressors]\n{entry}\n")


def test_a_team_s_own_stressor_loads_from_its_package(
    nursery: Nursery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, "noise_for_tests", PLUGIN, "noise = noise_for_tests:Noise")
    monkeypatch.syspath_prepend(tmp_path)
    assert "noise" in stressor_names()
    code = "wait(lambda: any(open(f'/proc/{p}/comm').read() == 'sleep\\n' for p in beside()))"
    report = run(nursery, tmp_path, code, "noise+cpu:1")
    assert report.status == 0, (tmp_path / "out").read_text()


def test_a_plugin_of_the_wrong_shape_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "broken_for_tests", "", "broken = os:getcwd")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UsageError, match="lacks usage"):
        parse_stress("broken")


def test_a_load_dies_with_a_killed_supervisor(nursery: Nursery, tmp_path: Path) -> None:
    code = "wait(lambda: beside()); print(*beside(), flush=True); os.kill(os.getppid(), 9); time.sleep(100)"
    with pytest.raises(TrialError, match="supervisor died"):
        run(nursery, tmp_path, code, "stress-ng:--cpu 1")
    pids = [int(word) for word in (tmp_path / "out").read_text().split()]
    assert pids
    until(lambda: all((found := read_stat(pid)) is None or found.is_dead for pid in pids))
