"""Real runs under the real strace: the corpus, the command line, and what is left behind."""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import psutil
import pytest
from sqlalchemy import create_engine, text

from flakehunter.cli.app import main
from flakehunter.groupkill.linux.procfs import read_argv
from flakehunter.model import Mechanism
from flakehunter.trace.command import Strace

SARIF_SCHEMA = Path(__file__).resolve().parents[1] / "scan" / "sarif-2.1.0.schema.json"
CORPUS = Path(__file__).resolve().parents[1] / "corpus"
sys.path.insert(0, str(CORPUS))

from termination_corpus import Pair, load_pairs  # noqa: E402

PAIRS = {pair.name: pair for pair in load_pairs()}
ONE_FOR_EACH = (
    "supervisor_forgets",
    "zombie_after_pidfd",
    "v1s_group_pause",
    "v8_signal_early",
    "limit_assign",
    "double_fork",
    "v5_pid_file",
    "v9_short_deadline",
    "node_signal_early",
)
PASSES_WITHIN_S = 90
Trace = Callable[..., dict[str, Any]]

pytestmark = pytest.mark.usefixtures("strace")


@pytest.fixture
def trace(capfd: pytest.CaptureFixture[str]) -> Trace:
    """Give a function that runs `flakehunter trace --json` and returns the document."""

    def run(*words: str, code: int = 0) -> dict[str, Any]:
        assert main(["trace", "--json", *words]) == code
        document: dict[str, Any] = json.loads(capfd.readouterr().out)
        return document

    return run


def passing(trace: Trace, pair: Pair, folder: Path) -> dict[str, Any]:
    """Return a trace of the flawed variant that passed; on a busy machine it may fail by itself, as it is made to."""
    until = time.monotonic() + PASSES_WITHIN_S
    while time.monotonic() < until:
        document = trace("--", *pair.command("flawed", folder))
        if document["exit_code"] == 0:
            return document
    pytest.fail(f"{pair.name} did not pass once in {PASSES_WITHIN_S} s", pytrace=False)


@pytest.mark.parametrize("name", ONE_FOR_EACH)
def test_passing_run_of_a_flawed_test_names_the_mechanism(name: str, trace: Trace, tmp_path: Path) -> None:
    pair = PAIRS[name]
    if not pair.tool_is_here:
        pytest.skip(f"needs {pair.language}")
    document = passing(trace, pair, tmp_path)
    assert {finding["mechanism"] for finding in document["findings"]} == {pair.mechanism}
    finding = document["findings"][0]
    assert finding["slack_ms"] > 0
    if pair.mechanism is not Mechanism.ASSIGN_AFTER_EXIT:  # prlimit(1) makes that look, and has no hook
        assert Path(finding["file"]).parent == pair.folder


def test_mechanisms_of_the_live_tests_are_all_there_are() -> None:
    assert {PAIRS[name].mechanism for name in ONE_FOR_EACH} == set(Mechanism)


@pytest.mark.parametrize("name", ONE_FOR_EACH)
def test_fixed_test_has_no_finding(name: str, trace: Trace, tmp_path: Path) -> None:
    pair = PAIRS[name]
    if not pair.tool_is_here:
        pytest.skip(f"needs {pair.language}")
    document = trace("--", *pair.command("fixed", tmp_path))
    assert (document["exit_code"], document["findings"]) == (0, [])


def test_document_has_the_promised_keys_and_processes(trace: Trace) -> None:
    pair = PAIRS["v1s_group_pause"]
    document = passing(trace, pair, pair.folder)
    assert document["schema_version"] == 1
    finding = document["findings"][0]
    promised = {"mechanism", "pid", "argv", "signal_ms", "exit_ms", "reap_ms", "look_ms", "slack_ms", "looker_pid"}
    assert promised | {"text"} <= set(finding)
    assert finding["argv"] == ["sleep", "30"]
    assert finding["signal_ms"] < finding["exit_ms"] < finding["look_ms"]
    assert finding["slack_ms"] == pytest.approx(finding["look_ms"] - finding["exit_ms"], abs=0.01)
    assert list(finding["predicted_rates"]) == ["plain", "8 busy workers", "32 busy workers", "SCHED_IDLE"]
    test, leader, grandchild = document["processes"]
    assert grandchild["ppid"] == leader["pid"]
    assert grandchild["pgid"] == leader["pid"] != test["pgid"]
    assert leader["reaped_by"] == test["pid"]
    assert [sent["signal"] for sent in grandchild["signals"]] == ["SIGTERM"]


def test_exit_code_of_the_command_is_in_the_document_and_not_ours(trace: Trace) -> None:
    assert trace("--", "bash", "-c", "exit 3")["exit_code"] == 3
    assert trace("--", "bash", "-c", "kill -KILL $$")["exit_code"] == 137


def test_output_of_the_command_goes_to_standard_error(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", "--json", "--", "echo", "--json"]) == 0
    captured = capfd.readouterr()
    assert json.loads(captured.out)["findings"] == []
    assert captured.err.startswith("--json\n")


def test_fail_on_findings_returns_1(trace: Trace, capfd: pytest.CaptureFixture[str]) -> None:
    command = ["bash", "-c", "sleep 30 & exit 0"]
    document = trace("--fail-on", "findings", "--", *command, code=1)
    [finding] = document["findings"]
    assert finding["mechanism"] == Mechanism.SURVIVOR
    assert finding["argv"] == ["sleep", "30"]
    assert not psutil.pid_exists(finding["pid"])


def test_table_shows_timeline_finding_and_fix(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", "--", "bash", "-c", "sleep 30 & exit 0"]) == 0
    captured = capfd.readouterr()
    for word in ("start", "exit", "status 0", "◀ survivor", "nobody signalled it", "fix: signal what left the group"):
        assert word in captured.out
    assert "1 finding; exit code 0, 2 processes" in captured.err


def test_sarif_names_rule_file_and_line(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    pair = PAIRS["v9_short_deadline"]
    monkeypatch.chdir(pair.folder)
    assert main(["trace", "--format", "sarif", "--", sys.executable, "flawed.py"]) == 0
    document = json.loads(capfd.readouterr().out)
    [run] = document["runs"]
    [result] = run["results"]  # whether it passed, or a busy machine made it fail
    assert result["ruleId"] == run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == "deadline-too-short"
    place = result["locations"][0]["physicalLocation"]
    lines = Path("flawed.py").read_text().splitlines()
    assert place["artifactLocation"]["uri"] == "flawed.py"
    assert "child.wait(timeout=0.08)" in lines[place["region"]["startLine"] - 1]
    assert len(result["partialFingerprints"]["flakehunter/v1"]) == 32
    jsonschema.Draft4Validator(json.loads(SARIF_SCHEMA.read_text())).validate(document)


def test_time_limit_ends_the_command(trace: Trace) -> None:
    document = trace("--timeout", "500ms", "--", "sleep", "30")
    assert document["timed_out"]
    assert document["exit_code"] is None


COMPILED = """\
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
static int gone(pid_t pid) {
    return kill(pid, 0) != 0;
}
int main(void) {
    pid_t pid = fork();
    if (pid == 0) for (;;) pause();
    kill(pid, SIGTERM);
    usleep(300000);
    waitpid(pid, 0, WNOHANG);
    return !gone(pid);
}
"""


def test_native_stacks_place_signal_and_look_of_a_compiled_program(
    trace: Trace, strace: Strace, tmp_path: Path
) -> None:
    if not (strace.unwinds and shutil.which("cc") and shutil.which("addr2line")):
        pytest.skip("needs strace with stack traces, a C compiler and addr2line")
    source, program = tmp_path / "program.c", tmp_path / "program"
    source.write_text(COMPILED)
    subprocess.run(["cc", "-g", "-O0", "-o", program, source], check=True)
    document = trace("--stacks", "--", str(program))
    [finding] = document["findings"]
    assert finding["mechanism"] == "fixed-sleep"
    assert (finding["file"], finding["line"]) == (str(source), 12)
    assert (finding["signal_file"], finding["signal_line"]) == (str(source), 10)


def test_strace_without_native_stacks_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "strace").write_text('#!/bin/sh\n[ "$1" = -V ] && echo "strace -- version 6.1"\nexit 0\n')
    (tmp_path / "strace").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert main(["trace", "--stacks", "--", "true"]) == 2
    error = capsys.readouterr().err
    assert "was built without stack traces" in error
    assert "hint: " in error


def test_strace_that_is_killed_leaves_what_it_has_seen(trace: Trace, capfd: pytest.CaptureFixture[str]) -> None:
    killer = "exec 3</proc/$PPID/comm; read name <&3; [ $name = strace ] && kill -KILL $PPID; exec sleep 30"
    assert main(["trace", "--json", "--", "bash", "-c", killer]) == 0
    captured = capfd.readouterr()
    document = json.loads(captured.out)
    assert (document["cut_short"], document["timed_out"], document["exit_code"]) == (True, False, None)
    assert document["processes"][0]["argv"][0] == "bash"
    assert "strace ended before the command did" in captured.err
    assert not psutil.pid_exists(document["processes"][0]["pid"])


def test_saved_trace_is_what_strace_wrote(trace: Trace, tmp_path: Path) -> None:
    document = trace("--save", str(tmp_path / "trace.txt"), "--", "true")
    assert len((tmp_path / "trace.txt").read_text().splitlines()) == document["lines"]


ENDS_A_GRANDCHILD = """
import os, psutil, signal, subprocess, time
child = subprocess.Popen(["bash", "-c", "sleep 30 & echo $!; wait"], stdout=subprocess.PIPE, start_new_session=True)
grandchild = psutil.Process(int(child.stdout.readline()))
os.killpg(child.pid, signal.SIGTERM)
child.wait()
{look}
"""


@pytest.mark.parametrize(
    ("look", "expected"),
    [
        ("psutil.wait_procs([grandchild])", 0),
        ("grandchild.wait(timeout=60)", 0),
        ("time.sleep(0.1); assert not psutil.pid_exists(grandchild.pid)", 1),
    ],
)
def test_wait_of_a_library_that_looks_again_and_again_is_ordered(
    look: str, expected: int, trace: Trace, tmp_path: Path
) -> None:
    program = tmp_path / "program.py"
    program.write_text(ENDS_A_GRANDCHILD.format(look=look))
    document = trace("--", sys.executable, str(program))
    assert len(document["findings"]) == expected


ENDS_THREE = """
import psutil, subprocess, sys
service = "import signal, time; signal.signal(15, lambda *_: (time.sleep(0.1), exit())); print('up', flush=True); "
started = [subprocess.Popen([sys.executable, "-c", service + "signal.pause()"], stdout=-1) for _ in range(3)]
children = [psutil.Process(each.pid) for each in started if each.stdout.readline()]
for child in children:
    child.terminate()
psutil.wait_procs(children, timeout={deadline})
"""


@pytest.mark.parametrize(("deadline", "expected"), [("60", set()), ("0.3", {"deadline-too-short"})])
def test_deadline_of_a_library_is_the_whole_one(
    deadline: str, expected: set[str], trace: Trace, tmp_path: Path
) -> None:
    program = tmp_path / "program.py"
    program.write_text(ENDS_THREE.format(deadline=deadline))
    document = trace("--", sys.executable, str(program))
    assert {finding["mechanism"] for finding in document["findings"]} == expected


def test_program_without_hooks_is_traced_too(trace: Trace) -> None:
    document = trace("--no-source", "--", sys.executable, "-c", "import os; print('PYTHONPATH' in os.environ)")
    assert document["exit_code"] == 0
    assert not any(finding["file"] for finding in document["findings"])


LIBRARY_LOOKS = """
import multiprocessing, subprocess, time
pool = multiprocessing.get_context("fork").Pool(2)
pool.map(abs, [1, 2])
pool.terminate()
pool.join()
child = subprocess.Popen(["sleep", "30"])
child.terminate()
time.sleep(0.02)
child.kill()  # asks first whether the child has ended, and it has
child.wait()
"""


def test_what_a_library_asks_for_itself_is_no_look(trace: Trace, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(LIBRARY_LOOKS)
    for _ in range(3):
        assert trace("--", sys.executable, str(program))["findings"] == []


def test_sitecustomize_that_the_hook_hides_still_runs(trace: Trace, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import builtins\nbuiltins.mine = 7\n")
    program = "import shutil, sys, os; sys.exit(0 if mine == 7 and shutil.rmtree.avoids_symlink_attacks else 1)"
    command = ["env", f"PYTHONPATH={os.environ.get('PYTHONPATH', '')}:{tmp_path}", sys.executable, "-c", program]
    hooked = trace("--", "bash", "-c", f'PYTHONPATH="$PYTHONPATH:{tmp_path}" {shlex.join(command[2:])}')
    assert hooked["exit_code"] == 0


def test_a_tracer_that_is_killed_before_it_reads_leaves_nothing_behind(tmp_path: Path) -> None:
    tracer = subprocess.Popen(
        [sys.executable, "-m", "flakehunter", "trace", "--", "bash", "-c", "sleep 31 & wait"],
        env=os.environ | {"TMPDIR": str(tmp_path)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    process, deadline = psutil.Process(tracer.pid), time.monotonic() + 90
    # Not by psutil: a child that ends meanwhile (the dry run of strace) has no words, and is no error.
    while not any(read_argv(child.pid)[:1] == ("sleep",) for child in process.children(recursive=True)):
        assert time.monotonic() < deadline
        if any("keeper.py" in " ".join(read_argv(child.pid)) for child in process.children()):
            process.suspend()
    below = process.children(recursive=True)
    tracer.kill()
    tracer.wait(90)
    _gone, alive = psutil.wait_procs(below, timeout=90)
    assert alive == []
    assert list(tmp_path.glob("flakehunter-*")) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_ended_tracer_leaves_nothing_behind(number: signal.Signals, tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    command = ["bash", "-c", f"setsid sleep 31 & sleep 31 & echo $$ > {ready}.new; mv {ready}.new {ready}; wait"]
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    tracer = subprocess.Popen(
        [sys.executable, "-m", "flakehunter", "trace", "--", *command],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 90
    while not ready.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    below = psutil.Process(tracer.pid).children(recursive=True)
    assert len(below) >= 4
    tracer.send_signal(number)
    tracer.wait(90)
    _gone, alive = psutil.wait_procs(below, timeout=90)
    assert alive == []
    assert list(tmp_path.glob("flakehunter-*")) == []


def test_evidence_goes_into_the_database(trace: Trace, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'test.db'}"
    trace("--db", url, "--", "bash", "-c", "sleep 30 & exit 0")
    engine = create_engine(url)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT mechanism, source FROM findings")).all() == [("survivor", "trace")]
        experiments = connection.execute(text("SELECT mechanism, verdict, test_case_id FROM experiments")).all()
        assert experiments == [("survivor", None, None)]
        processes = connection.execute(text("SELECT argv, survived FROM process_exits ORDER BY id")).all()
        assert processes == [("bash -c sleep 30 & exit 0", 0), ("sleep 30", 1)]
    engine.dispose()


def test_test_of_the_database_is_run_by_its_runner(
    trace: Trace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "test_group.py").write_text(
        "import subprocess, time\n\n\ndef test_ends():\n    child = subprocess.Popen(['sleep', '30'])\n"
        "    child.terminate()\n    time.sleep(0.5)\n    assert child.poll() is not None\n"
    )
    url = f"sqlite:///{tmp_path / 'test.db'}"
    _insert_test(url)
    document = trace("--db", url, "test_ends")
    assert document["exit_code"] == 0
    assert [finding["mechanism"] for finding in document["findings"]] == ["fixed-sleep"]
    assert [test["id"] for test in document["tests"]] == ["test_group.py::test_ends"]
    engine = create_engine(url)
    with engine.connect() as connection:
        [row] = connection.execute(text("SELECT test_case_id, file, line, score FROM findings")).all()
    engine.dispose()
    assert row == (1, "test_group.py", 8, 0.85)


def _insert_test(url: str) -> None:
    from sqlalchemy import insert

    from flakehunter.db.engine import open_database
    from flakehunter.db.schema import TestCase
    from flakehunter.db.write import ensure_project
    from flakehunter.model import TestIdentity

    identity = TestIdentity("default", "pytest", "test_group", "test_ends")
    engine = open_database(url, create=True)
    with engine.begin() as connection:
        connection.execute(
            insert(TestCase).values(
                project_id=ensure_project(connection, "default"),
                key=identity.key,
                suite="pytest",
                classname="test_group",
                name="test_ends",
                framework="pytest",
                file="",
            )
        )
    engine.dispose()


def test_hundred_processes_in_one_run_are_all_seen(trace: Trace, strace: Strace) -> None:
    assert strace.seccomp
    document = trace("--", "bash", "-c", "for i in {1..100}; do sleep 0 & done; wait")
    assert len(document["processes"]) == 101
    assert document["not_understood"] == 0
    assert document["findings"] == []
