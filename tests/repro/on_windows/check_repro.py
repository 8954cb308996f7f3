"""Run by pytest on a Windows Python (test_repro_windows.py starts it): `repro` and `stressors`, as typed by a user."""

import _thread
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest
from sqlalchemy import insert, select

from flakehunter.cli.app import main
from flakehunter.db.engine import open_database
from flakehunter.db.queries.experiments import processes_of, trials_of
from flakehunter.db.schema import Experiment, Project, TestCase
from flakehunter.groupkill.windows import api
from flakehunter.model import TestIdentity
from flakehunter.repro.bench import trial_spec
from flakehunter.repro.command import plain_command
from flakehunter.repro.stressors import parse_stress
from flakehunter.repro.trial import TrialError
from flakehunter.repro.windows.nursery import start_nursery

# Counts for 50 ms and fails where that took too many times as long as the quickest hundredth says: a deadline that load
# makes too short, on a machine of any speed. Beside one busy process on the same CPU it takes twice as long and more.
TOO_SHORT = """
import sys, time
parts = []
for _ in range(100):
    begin = time.perf_counter()
    for _ in range(20000): pass
    parts.append(time.perf_counter() - begin)
sys.exit(sum(parts) > float(sys.argv[1]) * 100 * min(parts))
"""
# Ends in another way each time it is run: passed (and leaves a child), failed, killed by Ctrl-C, crashed.
KINDS = """
import ctypes, os, subprocess, sys, time
turn = len(os.listdir('turns'))
open(f'turns/{turn}', 'w').close()
if turn == 0:
    code = 'import time; print(1, flush=True); time.sleep(600)'
    child = subprocess.Popen([sys.executable, '-S', '-c', code], stdout=-1)
    child.stdout.readline()
    os._exit(0)
if turn == 1:
    sys.exit(3)
ctypes.windll.kernel32.ExitProcess({2: 0xC000013A, 3: 0xC0000005}[turn])
"""
SLEEPER = """
import os, time
open('up.part', 'w').write(str(os.getpid()))
os.rename('up.part', 'up')
time.sleep(600)
"""
MASK = """
import ctypes, subprocess, sys
one, every = ctypes.c_size_t(), ctypes.c_size_t()
kernel32 = ctypes.windll.kernel32
kernel32.GetCurrentProcess.restype = ctypes.c_void_p
kernel32.GetProcessAffinityMask(ctypes.c_void_p(kernel32.GetCurrentProcess()), ctypes.byref(one), ctypes.byref(every))
print(one.value, flush=True)
if len(sys.argv) < 2:
    subprocess.run([sys.executable, '-S', '-c', sys.orig_argv[-1], 'child'])
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Give a folder to work in, and see that nothing runs any more at the end."""
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    assert not wait_for(lambda: not psutil.Process().children(recursive=True)), "processes are left"


def wait_for(state, limit_s=30.0):
    """Wait until `state()` is true; returns True when the time is over."""
    end = time.monotonic() + limit_s
    while not state():
        if time.monotonic() >= end:
            return True
        time.sleep(0.01)
    return False


def repro(capsys, *words):
    """Type `flakehunter repro …`; returns exit code, stdout and stderr."""
    code = main(["repro", "--db", "repro.db", *words])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def trials(folder):
    """Return the trials of the experiment in the database, each with its processes."""
    engine = open_database(f"sqlite:///{folder / 'repro.db'}")
    with engine.connect() as connection:
        number = connection.scalar(select(Experiment.id))
        found = [(trial, processes_of(connection, row)) for row, trial in trials_of(connection, number)]
    engine.dispose()
    return found


def test_a_flawed_test_fails_under_load_and_its_fix_is_verified(folder, capsys):
    (folder / "test_x.py").write_text(TOO_SHORT)
    python = subprocess.list2cmdline([sys.executable, "-S"])
    words = ["--stress", "one-cpu+cpu:1", "--max-rate", "0.6", "--json", "--fix", f"{python} test_x.py 1000"]
    code, out, err = repro(capsys, *words, "--", sys.executable, "-S", "test_x.py", "1.5")
    assert code == 0, err
    document = json.loads(out)
    assert document["verdict"] == "fix-verified", document
    flawed, fixed = document["arms"]
    assert {"name", "command", "stressor", "group_kill", "trials", "failures", "errors", "hangs", "rate"} <= set(flawed)
    assert (flawed["stressor"], flawed["failures"] >= 3) == ("one-cpu+cpu:1", True)
    assert (fixed["failures"], fixed["errors"], fixed["rate"]["high"] <= 0.6) == (0, 0, True)
    assert {"verdict", "mechanism", "plan", "replay", "fixes", "deadline", "schema_version"} <= set(document)
    assert document["exact_test"]["p_value"] <= 0.01
    assert document["tracer"]["usable"] is False
    assert len(trials(folder)) == flawed["trials"] + fixed["trials"]


def test_passed_failed_killed_and_crashed_are_told_apart(folder, capsys):
    (folder / "turns").mkdir()
    (folder / "kinds.py").write_text(KINDS)
    words = ["--stress", "none", "--trials", "4", "--json", "--fail-on", "reproduced"]
    code, out, err = repro(capsys, *words, "--", sys.executable, "kinds.py")
    assert code == 1, err
    (arm,) = json.loads(out)["arms"]
    assert (arm["trials"], arm["failures"], arm["hangs"], arm["errors"], arm["left_behind"]) == (4, 2, 0, 1, 1)
    kinds = [(trial.outcome.value, trial.exit_code, trial.message) for trial, _ in trials(folder)]
    assert kinds == [
        ("passed", 0, ""),
        ("failed", 3, "exit status 3"),
        ("errored", 0xC000013A - 2**32, "the command was killed by Ctrl-C (0xC000013A)"),
        ("failed", 0xC0000005 - 2**32, "crashed with 0xC0000005 (access violation)"),
    ]
    command, child = trials(folder)[0][1]
    assert (command.survived, command.exit_status, command.argv.endswith("kinds.py")) == (False, 0, True)
    assert (child.survived, child.state, child.ppid) == (True, "R", command.pid)
    assert child.time_to_exit_ms > 0
    ended = api.open_process(child.pid)
    assert ended is None or api.has_ended(ended)


def test_a_trial_over_its_time_limit_hung(folder, capsys):
    words = ["--stress", "none", "--trials", "1", "--time-limit", "500ms", "--json"]
    code, out, err = repro(capsys, *words, "--", sys.executable, "-S", "-c", "import time; time.sleep(600)")
    assert code == 0, err
    (arm,) = json.loads(out)["arms"]
    assert arm["trials"] == arm["hangs"]
    said = {(trial.outcome.value, trial.exit_code, trial.message) for trial, _ in trials(folder)}
    assert said == {("hung", None, "still running after 0.5 s")}


def test_a_stored_pytest_is_run_by_its_node_id(folder, capsys):
    (folder / "test_late.py").write_text("def test_it():\n    assert [] == ['gone']\n")
    identity = TestIdentity("default", "pytest", "test_late", "test_it")
    engine = open_database(f"sqlite:///{folder / 'repro.db'}", create=True)
    row = {"suite": "pytest", "classname": "test_late", "name": "test_it", "framework": "pytest"}
    with engine.begin() as connection:
        connection.execute(insert(Project).values(id=1, name="default"))
        connection.execute(insert(TestCase).values(project_id=1, key=identity.key, file="test_late.py", **row))
    engine.dispose()
    code, out, err = repro(capsys, "test_late.py::test_it", "--stress", "cpu:1", "--trials", "1")
    assert code == 0, err
    assert out.startswith("reproduced: 1 of 1 "), out
    assert "AssertionError: assert [] == ['gone']" in out
    assert "Windows cannot fork" in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--stress", "delay:exit:50ms", "--", "cmd"], "delay does not work here: Windows has no ptrace"),
        (["--stress", "quota:10", "--", "cmd"], "quota does not work here: the quota is a cgroup's"),
        (["--stress", "cpu:many", "--", "cmd"], "cpu:many: not a number of processes"),
        (["--", "no-such-program"], "command not found: no-such-program"),
        (["--", ".\\no-such-program.exe"], "cannot run .\\no-such-program.exe: no such program"),
        (["--fix", " ", "--stress", "none", "--", "cmd"], "--fix is empty"),
        (["--group-kill", "cgroup", "--", "cmd"], "cgroup"),
        (["--trace", "--", "cmd"], "trace needs strace"),
        ([], "neither a test nor a command"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_done_is_one_line_and_a_hint(folder, capsys, words, said):
    code, out, err = repro(capsys, *words)
    assert (code, out) == (2, ""), err
    assert said in err
    assert "hint: " in err
    assert "Traceback" not in err


def test_a_program_that_windows_cannot_start_is_no_failure_of_the_test(folder, capsys):
    (folder / "broken.exe").write_bytes(b"no program")
    code, out, err = repro(capsys, "--stress", "none", "--", ".\\broken.exe")
    assert code == 0, err
    assert out.startswith("undecided: ")
    assert "broken.exe" in out
    assert {trial.outcome.value for trial, _ in trials(folder)} == {"errored"}


def test_ctrl_c_ends_the_trial_and_all_in_it(folder, capsys):
    def press():
        wait_for((folder / "up").exists)
        _thread.interrupt_main()

    user = threading.Thread(target=press)
    user.start()
    code, _, _ = repro(capsys, "--stress", "cpu:1", "--", sys.executable, "-S", "-c", SLEEPER)
    user.join()
    assert code == 130


def test_a_killed_harness_leaves_no_process_and_no_folder(folder):
    code = f"""
import sys; sys.path[:0] = {sys.path!r}
sys.dont_write_bytecode, sys.pycache_prefix = False, {sys.pycache_prefix!r}
import os, time
from pathlib import Path
from flakehunter.repro.journal import Journal
from flakehunter.repro.trial import TrialSpec
from flakehunter.repro.windows.nursery import start_nursery
from flakehunter.repro.workspace import Workspace
with Workspace() as workspace, start_nursery() as nursery:
    experiment = dict(project="default", test_case_id=None, command="x", machine=dict())
    Journal(workspace.journal(), "sqlite:///killed.db", experiment)
    argv = (sys.executable, "-S", "-c", {SLEEPER!r})
    nursery.start(TrialSpec(argv, os.getcwd(), dict(os.environ), str(workspace.folder / "output.txt"), 600.0))
    print(workspace.folder, flush=True)
    time.sleep(600)
"""
    null, pipe = subprocess.DEVNULL, subprocess.PIPE
    harness = subprocess.Popen([sys.executable, "-c", code], stdin=null, stdout=pipe, text=True)
    place = Path(harness.stdout.readline().strip())
    assert not wait_for((folder / "up").exists)
    member = api.open_process(int((folder / "up").read_text()))
    assert place.is_dir()
    assert not api.has_ended(member)
    harness.kill()
    harness.wait()
    harness.stdout.close()
    assert api.has_ended(member, 30.0)
    member.close()
    assert not wait_for(lambda: not place.exists())
    engine = open_database("sqlite:///killed.db")
    with engine.connect() as connection:
        assert connection.scalar(select(Experiment.command)) == "x"
    engine.dispose()


def test_one_cpu_binds_the_command_and_what_it_starts(folder):
    spec = trial_spec(plain_command([sys.executable, "-S", "-c", MASK], folder), folder / "0", 60.0, warm=False)
    with start_nursery() as nursery:
        report = nursery.run(parse_stress("one-cpu").apply(spec))
        assert nursery.cpu_s >= 0
    assert (report.status, report.clean) == (0, True)
    masks = [int(line) for line in Path(spec.output).read_text().split()]
    assert [mask.bit_count() for mask in masks] == [1, 1]
    assert masks[0] == masks[1]


def test_a_plugin_that_asks_for_what_windows_has_not_is_refused(folder):
    from dataclasses import replace

    spec = trial_spec(plain_command([sys.executable], folder), folder / "0", 60.0, warm=False)
    with start_nursery() as nursery, pytest.raises(TrialError, match="asks for a quota"):
        nursery.run(replace(spec, quota_percent=10.0))


def test_stressors_says_what_works_here(capsys):
    assert main(["stressors", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["stressors"]
    assert {row["name"] for row in rows if row["usable"]} == {"none", "cpu", "one-cpu"}
    assert all(row["usable"] or (row["reason"] and "\n" not in row["reason"]) for row in rows)
    assert os.name == "nt"
