"""Test windows: findings know their test, and what the runner does outside of its tests is no finding."""

import json
import shutil
import sys
from pathlib import Path

import pytest
from sample import DEATH, END, GROUP, PAUSE, V1S, judge, world_of

from flakehunter.cli.app import main
from flakehunter.model import Mechanism
from flakehunter.trace.findings import Finding
from flakehunter.trace.rules import find_all
from flakehunter.trace.session import TraceResult
from flakehunter.trace.timeline import timeline


def mark(what: str, time: float, test: str = "a.py%3A%3Atest_a", fields: str = "", tid: int = 1698) -> str:
    path = f"/.flakehunter/{what}/id={test}{fields}//w/a.py:3"
    return f'{tid}  {time:.6f} access("{path}", F_OK) = -1 ENOENT (No such file) <0.000010>\n'


BEFORE, BODY, AFTER = 1795323073.299, 1795323073.2995, 1795323073.35


def only(text: str) -> Finding:
    [finding] = judge(text)
    return finding


def in_test(text: str, *, end: float = AFTER, fields: str = "") -> str:
    """Put a test around what comes after the first two lines of a trace."""
    first, second, rest = text.lstrip().split("\n", 2)
    lines = [line for line in rest.splitlines() if line]
    begin = [mark("test", BEFORE).rstrip(), mark("body", BODY).rstrip()]
    close = [mark("returned", end).rstrip(), mark("tested", end + 0.0001, fields=fields).rstrip()]
    timed = sorted([*lines, *close], key=lambda line: float(line.split()[1]))
    return "\n".join([first, second, *begin, *timed]) + "\n"


def test_finding_names_the_test_that_it_happened_in() -> None:
    finding = only(in_test(V1S))
    assert finding.mechanism is Mechanism.FIXED_SLEEP
    assert finding.window is not None
    assert (finding.window.test, finding.window.file, finding.window.line) == ("a.py::test_a", "/w/a.py", 3)


def test_look_of_the_runner_outside_of_its_tests_is_no_finding() -> None:
    early = in_test(V1S, end=1795323073.322)
    assert judge(early) == []
    assert only(V1S).window is None, "without marks the whole run is one window"


def test_tests_outcome_decides_about_a_look_that_found_it_alive_and_not_that_of_the_run() -> None:
    stat = '1698  1795323073.323290 openat(AT_FDCWD</tmp>, "/proc/1700/stat", 0) = 3</proc/1700/stat> <0.00002>\n'
    read = '1698  1795323073.323320 read(3</proc/1700/stat>, "1700 (sleep) S 1699 1699", 8192) = 24 <0.00002>\n'
    failed = END.replace("exit_group(0)", "exit_group(1)").replace("exited with 0", "exited with 1")
    text = GROUP + stat + read + DEATH + failed
    assert judge(in_test(text, fields=",outcome=passed")) == []
    assert only(in_test(text, fields=",outcome=failed")).mechanism is Mechanism.CHECK_BEFORE_EXIT


def test_runner_above_the_marking_process_is_the_runner_too() -> None:
    """A controller that ends its worker and looks at once, in or out of a test's time."""
    text = f"""
5  100.0 execve("/usr/bin/node", ["node", "runner.mjs"], 0x1) = 0 <0.0001>
5  100.1 clone(child_stack=NULL, flags=SIGCHLD) = 6 <0.0001>
6  100.2 execve("/usr/bin/node", ["node", "worker.mjs"], 0x1) = 0 <0.0001>
{mark("test", 100.3, tid=6)}
5  100.4 kill(6, SIGTERM) = 0 <0.0001>
6  100.4 --- SIGTERM {{si_signo=SIGTERM, si_code=SI_USER, si_pid=5, si_uid=0}} ---
6  100.5 +++ killed by SIGTERM +++
5  100.6 wait4(-1, [{{WIFSIGNALED(s)}}], 0, NULL) = 6 <0.0001>
5  100.7 +++ exited with 0 +++
"""
    look = "5  100.55 kill(6, 0) = 0 <0.0001>\n5  100.56 kill(6, 0) = -1 ESRCH (No) <0.0001>\n"
    unmarked = "\n".join(line for line in text.splitlines() if ".flakehunter" not in line)
    single = look.splitlines()[1] + "\n"
    assert judge(text.replace("5  100.6 ", single + "5  100.6 ")) == []
    assert len(judge(unmarked.replace("5  100.6 ", single + "5  100.6 "))) == 1


def test_what_a_test_started_and_left_is_a_survivor_of_that_test() -> None:
    pause = PAUSE.replace("1700  1795323073.323350 +++ killed by SIGTERM +++\n", "")
    late = "1698  1795323074.900000 exit_group(0) = ?\n1698  1795323074.900100 +++ exited with 0 +++\n"
    alive = GROUP.replace("kill(-1699", "kill(1699").replace(
        "1700  1795323073.323176 --- SIGTERM {si_signo=SIGTERM, si_code=SI_USER, si_pid=1698, si_uid=0} ---\n", ""
    )
    end = "1700  1795323074.800000 +++ exited with 0 +++\n"
    finding = only(in_test(alive + pause + end + late))
    assert (finding.mechanism, finding.victim.pid) == (Mechanism.SURVIVOR, 1700)
    assert "still alive at the end of the test" in finding.text
    soon = end.replace("1795323074.8", "1795323073.6")
    assert judge(in_test(alive + pause + soon + late)) == [], "half a second is no survivor"
    fixture = in_test(alive + pause + end + late).replace(f"{BODY:.6f} access", "1795323073.340000 access")
    assert judge(fixture) == [], "what a fixture starts may serve several tests"


def fixture_starts_a_server() -> str:
    """Return the trace of a pytest up to where a fixture has started a server, which is process 6."""
    return f"""
5  100.0 execve("/usr/bin/python3", ["python3", "-m", "pytest"], 0x1) = 0 <0.0001>
{mark("test", 100.1, tid=5)}
5  100.2 clone(child_stack=NULL, flags=SIGCHLD) = 6 <0.0001>
6  100.3 execve("/usr/bin/server", ["server"], 0x1) = 0 <0.0001>
"""


def test_what_a_service_of_a_fixture_does_with_its_own_processes_is_no_finding() -> None:
    """The processes of a database server signal each other, and tell each other by shared memory what they know."""
    text = (
        fixture_starts_a_server()
        + f"""\
6  100.4 clone(child_stack=NULL, flags=SIGCHLD) = 7 <0.0001>
{mark("body", 100.5, tid=5)}
6  100.6 kill(7, SIGUSR1) = 0 <0.0001>
7  100.7 rt_sigaction(SIGUSR1, {{sa_handler=0x1, sa_mask=[], sa_flags=0}}, NULL, 8) = 0 <0.0001>
7  100.71 --- SIGUSR1 {{si_signo=SIGUSR1, si_code=SI_USER, si_pid=6, si_uid=0}} ---
{mark("returned", 101.0, tid=5)}
{mark("tested", 101.1, tid=5, fields=",outcome=passed")}
6  101.2 +++ exited with 0 +++
7  101.2 +++ exited with 0 +++
5  101.3 +++ exited with 0 +++
"""
    )
    assert judge(text) == []
    of_the_test = text.replace(mark("body", 100.5, tid=5), "").replace(
        "5  100.2", mark("body", 100.15, tid=5) + "5  100.2"
    )
    assert [one.mechanism for one in judge(of_the_test)] == [Mechanism.SIGNAL_BEFORE_READY]
    by_the_test = text.replace("6  100.6 kill", "5  100.6 kill")
    assert [one.mechanism for one in judge(by_the_test)] == [Mechanism.SIGNAL_BEFORE_READY], "the test's own signal"


def test_what_a_service_of_a_fixture_starts_meanwhile_is_no_survivor_of_a_test() -> None:
    """A database server starts a worker whenever it likes, and this one by chance while a test runs."""
    text = (
        fixture_starts_a_server()
        + f"""\
{mark("body", 100.5, tid=5)}
6  100.6 clone(child_stack=NULL, flags=SIGCHLD) = 7 <0.0001>
7  100.7 setsid() = 7 <0.0001>
{mark("returned", 101.0, tid=5)}
{mark("tested", 101.1, tid=5, fields=",outcome=passed")}
7  103.0 +++ exited with 0 +++
6  103.1 +++ exited with 0 +++
5  103.2 +++ exited with 0 +++
"""
    )
    assert judge(text) == []
    by_the_test = text.replace("6  100.6 clone", "5  100.6 clone")
    assert [one.mechanism for one in judge(by_the_test)] == [Mechanism.SURVIVOR]


def test_tests_inside_a_test_of_the_same_process_are_told_apart() -> None:
    inner = "b.py%3A%3Atest_b"
    text = (
        '1698  99.0 execve("/usr/bin/python3", ["python3"], 0x1) = 0 <0.0001>\n'
        + mark("test", 100.0)
        + mark("test", 100.1, inner)
        + mark("tested", 100.2, inner, ",outcome=failed")
        + mark("tested", 100.3, fields=",outcome=passed")
    )
    world = world_of(text)
    process = world.processes[0]
    names = {
        time: window.test if window else None
        for time in (99.5, 100.05, 100.15, 100.25, 100.35)
        for window in [world.windows.of(process, time)]
    }
    assert list(names.values()) == [None, "a.py::test_a", "b.py::test_b", "a.py::test_a", None]
    assert [window.failed for window in world.windows] == [False, True]


def test_timeline_of_several_tests_shows_those_with_findings() -> None:
    def timed(text: str) -> TraceResult:
        world = world_of(text)
        return TraceResult(("x",), 0, False, False, world, tuple(find_all(world)), 0.1, None, 1, 0)

    quiet = mark("test", 1795323073.36, "b.py%3A%3Atest_b") + mark("tested", 1795323073.3601, "b.py%3A%3Atest_b")
    two = timed(in_test(V1S.replace("1698  1795323073.356093", quiet + "1698  1795323073.356093")))
    names = [line.what for line in timeline(two) if line.event == "test"]
    assert names == ["a.py::test_a"]
    assert [line.what for line in timeline(two, all_events=True) if line.event == "test"] == [*names, "b.py::test_b"]
    assert any(line.finding for line in timeline(two))


FLAWED = """\
import subprocess, time

def test_waits():
    child = subprocess.Popen(["sleep", "30"])
    child.terminate()
    assert child.wait() == -15

def test_pauses():
    child = subprocess.Popen(["sleep", "30"])
    child.terminate()
    time.sleep(0.6)
    assert child.poll() is not None

def test_fails():
    assert False
"""
NODE = """\
import assert from 'node:assert';
import { spawn } from 'node:child_process';
IMPORT

test('pauses', async () => {
  const child = spawn('sleep', ['30'], { stdio: 'ignore' });
  await new Promise((done) => child.once('spawn', done));
  process.kill(child.pid, 'SIGTERM');
  await new Promise((done) => setTimeout(done, 600));
  assert.throws(() => process.kill(child.pid, 0));
});
test('fails', () => assert.fail());
"""


def traced(
    capfd: pytest.CaptureFixture[str], *words: str
) -> tuple[list[tuple[str, str | None]], list[tuple[str, str]]]:
    """Return (id, outcome) of the tests and (mechanism, test) of the findings."""
    assert main(["trace", "--json", "--", *words]) == 0
    document = json.loads(capfd.readouterr().out)
    return (
        [(test["id"], test["outcome"]) for test in document["tests"]],
        [(finding["mechanism"], finding["test"]) for finding in document["findings"]],
    )


@pytest.mark.usefixtures("strace")
def test_worker_of_pytest_marks_its_tests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "test_flawed.py").write_text(FLAWED)
    monkeypatch.chdir(tmp_path)
    # With xdist: its controller hears of the tests too, and must not mark them.
    tests, findings = traced(capfd, sys.executable, "-m", "pytest", "-q", "-n", "1", "--rootdir", str(tmp_path))
    names = ("test_flawed.py::test_waits", "test_flawed.py::test_pauses", "test_flawed.py::test_fails")
    assert tests == list(zip(names, ("passed", "passed", "failed"), strict=True))
    assert findings == [("fixed-sleep", names[1])]


@pytest.mark.needs("node")
@pytest.mark.usefixtures("strace")
def test_node_runner_marks_its_tests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "flawed.test.mjs").write_text(NODE.replace("IMPORT", "import { test } from 'node:test';"))
    monkeypatch.chdir(tmp_path)
    tests, findings = traced(capfd, "node", "--test", "flawed.test.mjs")
    assert [test for test, _ in tests] == ["flawed.test.mjs > pauses", "flawed.test.mjs > fails"]
    assert findings == [("fixed-sleep", "flawed.test.mjs > pauses")]


VITEST = Path(__file__).resolve().parents[2] / "sample_data" / "project"


@pytest.mark.needs("node")
@pytest.mark.usefixtures("strace")
@pytest.mark.parametrize("pool", ["forks", "threads"])
def test_vitest_marks_its_tests(
    pool: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    if not (VITEST / "node_modules" / "vitest").is_dir() or shutil.which("node") is None:
        pytest.skip("needs the sample project's vitest")
    (tmp_path / "node_modules").symlink_to(VITEST / "node_modules")
    (tmp_path / "flawed.test.mjs").write_text(NODE.replace("IMPORT", "import { test } from 'vitest';"))
    monkeypatch.chdir(tmp_path)
    program = str(VITEST / "node_modules" / "vitest" / "vitest.mjs")
    tests, findings = traced(capfd, "node", program, "run", "--root", str(tmp_path), f"--pool={pool}")
    assert tests == [("flawed.test.mjs > pauses", "passed"), ("flawed.test.mjs > fails", "failed")]
    assert findings == [("fixed-sleep", "flawed.test.mjs > pauses")]
