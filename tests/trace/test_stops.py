"""The filters that stop a traced command less often: it runs as it does without them, and no look is lost."""

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from flakehunter.errors import CommandError
from flakehunter.trace import stops
from flakehunter.trace.command import Strace
from flakehunter.trace.keeper import DEFAULT_SIGNALS
from flakehunter.trace.session import TraceResult, trace
from flakehunter.trace.watching import CALLS

LOOKS = """
import os, subprocess
folder = {folder!r}
path = folder + "/held"
script = f"trap 'rm {{path}}; exit 0' TERM; : > {{path}}; echo ready; read x"
child = subprocess.Popen(["sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
child.stdout.readline()
entry = f"/proc/{{child.pid}}/stat"
os.kill(child.pid, 0)
os.close(os.open(entry, os.O_RDONLY | os.O_CLOEXEC))
open(entry).close()
os.stat(entry)
os.access(entry, os.R_OK)
os.stat(path)
subprocess.run(["cat", entry, path], check=True)
subprocess.run(["sh", "-c", f"test -r {{path}}; read x < {{entry}}"], check=True)
os.waitpid(child.pid, os.WNOHANG)
child.terminate()
child.wait()
"""
FILTERED = """
import ctypes, errno, os, struct
step = struct.Struct("=HBBI").pack
getppid = {number}
code = step(0x20, 0, 0, 0) + step(0x15, 0, 1, getppid) + step(6, 0, 0, 0x50000 | errno.EDOM) + step(6, 0, 0, 0x7fff0000)
code += step(6, 0, 0, 0x7fff0000) * {more}
libc = ctypes.CDLL(None, use_errno=True)
buffer = ctypes.create_string_buffer(code, len(code))
program = ctypes.create_string_buffer(struct.pack("@HP", len(code) // 8, ctypes.addressof(buffer)))
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, program, 0, 0) == 0, ctypes.get_errno()
assert libc.syscall(getppid) == -1 and ctypes.get_errno() == errno.EDOM
"""
STARTED = (
    "grep -E 'Sig(Blk|Ign|Cgt)' /proc/self/status; ls -l /proc/self/fd | awk '{print $9}'; env | sort; echo \"$0 $*\""
)


@pytest.fixture
def narrow(strace: Strace) -> Strace:
    """Give the strace of this machine, whose filter can be replaced; elsewhere there is nothing to test."""
    if not strace.narrows:
        if os.environ.get("CI"):
            pytest.fail("the filter of this strace cannot be replaced, and nothing may be left out in CI")
        pytest.skip("needs x86-64, Linux 5.5 and an strace of 5.3")
    return strace


def looks(result: TraceResult) -> list[tuple[str, str, bool, str]]:
    """Return the looks of a run: which kind, at what, with which answer, by which program."""
    assert result.exit_code == 0
    return sorted((one.kind.value, Path(one.target).name, one.alive, one.looker.argv[0]) for one in result.world.looks)


def printed(strace: Strace, output: Path, environment: Mapping[str, str]) -> str:
    """Return what a command prints of the state that it was started in."""
    with output.open("wb") as file:
        result = trace(
            ["sh", "-c", STARTED, "name", "two words", "--", ""],
            strace=strace,
            hooks=False,
            environment=environment,
            output_to=file.fileno(),
        )
    assert result.exit_code == 0
    return output.read_text()


def test_every_call_has_its_number() -> None:
    assert set(stops.NUMBERS) == CALLS | {stops.FIRST_OF_A_FORK}
    assert len(set(stops.NUMBERS.values())) == len(stops.NUMBERS)


def test_no_look_is_lost(narrow: Strace, tmp_path: Path) -> None:
    seen = []
    for number, strace in enumerate((narrow, replace(narrow, narrows=False))):
        folder = tmp_path / str(number)
        folder.mkdir()
        program = folder / "program.py"
        program.write_text(LOOKS.format(folder=str(folder)))
        seen.append(looks(trace([sys.executable, str(program)], strace=strace)))
    assert seen[0] == seen[1]
    assert {"kill(pid, 0)", "state in /proc", "file", "wait with WNOHANG"} <= {kind for kind, *_ in seen[0]}


def test_a_program_that_starts_makes_few_stops(narrow: Strace) -> None:
    wide, few = (trace(["sleep", "0"], strace=one, hooks=False) for one in (replace(narrow, narrows=False), narrow))
    assert few.lines * 2 < wide.lines


@pytest.mark.parametrize("close_fds", [True, False], ids=["vfork", "posix_spawn"])
def test_questions_for_handlers_make_no_stops(close_fds: bool, narrow: Strace, tmp_path: Path) -> None:
    # The child asks for the handler of each of 64 signals; of posix_spawn's the first question is let through.
    program = f"import subprocess; subprocess.run(['/bin/true'], check=True, close_fds={close_fds})"
    saved = tmp_path / "saved"
    result = trace([sys.executable, "-I", "-S", "-c", program], strace=narrow, hooks=False, save=saved)
    child = result.world.processes[-1]
    asked = [
        line for line in saved.read_text().splitlines() if line.startswith(f"{child.pid} ") and ", NULL, {" in line
    ]
    assert len(asked) <= 2


def test_handlers_of_signals_that_end_nobody_make_no_stops(narrow: Strace, tmp_path: Path) -> None:
    program = "import signal\nfor one in (signal.SIGSEGV, signal.SIGWINCH, signal.SIGTERM, signal.SIGCHLD):\n"
    program += "    signal.signal(one, print)\n"
    saved = tmp_path / "saved"
    result = trace([sys.executable, "-I", "-S", "-c", program], strace=narrow, hooks=False, save=saved)
    assert [word for word in ("SEGV", "WINCH", "TERM", "CHLD") if f"rt_sigaction(SIG{word}," in saved.read_text()] == [
        "TERM",
        "CHLD",
    ]
    assert result.world.root is not None
    assert [signal for _, signal in result.world.root.installed if signal != "SIGINT"] == ["SIGTERM", "SIGCHLD"]


STARTS = """
import os, subprocess, sys
for name in ("good", "nowhere", "text", "here", "./here"):
    try:
        print(name, subprocess.run([name], cwd=sys.argv[1]).returncode)
    except OSError as error:
        print(name, error.errno, error.filename)
print(os.get_exec_path() == os.environ["PATH"].split(":"))
"""


def test_folders_of_path_that_do_not_hold_the_program_are_passed_over_unseen(narrow: Strace, tmp_path: Path) -> None:
    """Python's hook spares strace the calls that fail; which program runs, and with what error, stays."""
    folders = [tmp_path / name for name in ("none", "empty", "file", "first", "second")]
    for folder in (folders[1], *folders[3:]):
        folder.mkdir()
    folders[2].write_text("a file where a folder should be")
    programs = ((3, "text", 0o600, 0), (3, "good", 0o700, 3), (4, "good", 0o700, 4), (4, "text", 0o700, 5))
    for place, name, mode, status in programs:
        program = folders[place] / name
        program.write_text(f"#!/bin/sh\nexit {status}\n")
        program.chmod(mode)
    work = tmp_path / "work"
    (work / "bin").mkdir(parents=True)
    (work / "bin" / "here").write_text("#!/bin/sh\nexit 6\n")
    (work / "bin" / "here").chmod(0o700)
    environment = {"PATH": ":".join(["bin", *map(str, folders)])}
    command = [sys.executable, "-c", STARTS, str(work)]
    bare = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    saved = tmp_path / "saved"
    with (tmp_path / "out").open("wb") as output:
        trace(command, strace=narrow, environment=environment, output_to=output.fileno(), save=saved)
    assert (tmp_path / "out").read_text() == bare
    tried = [line for line in saved.read_text().splitlines() if 'execve("' in line and '["good"]' in line]
    assert len(tried) == 2, "a relative folder depends on where the child is, and the one that has it"


NODE_STARTS = """
const { spawn, spawnSync, execFileSync } = require('child_process');
const told = (error) => error && [error.message, error.code, error.path, error.syscall];
for (const name of ['good', 'nowhere', 'text', 'folder', 'here', './here']) {
  const { status, error } = spawnSync(name, { cwd: process.argv[2] });
  console.log(name, status, told(error));
}
console.log(told(spawnSync('slow', { timeout: 1 }).error));
console.log(spawnSync('good', { env: { PATH: process.argv[3] } }).status);
try { execFileSync('good', { stdio: 'ignore' }); } catch (error) { console.log(error.status); }
const child = spawn('good', ['one']);
console.log(child.spawnfile, child.spawnargs);
child.on('exit', (status) => {
  console.log(status);
  spawn('nowhere').on('error', (error) => console.log(told(error)));
});
"""


@pytest.mark.needs("node")
def test_node_starts_the_same_programs_and_folders_of_path_are_passed_over_unseen(
    narrow: Strace, tmp_path: Path
) -> None:
    folders = [tmp_path / name for name in ("none", "file", "closed", "first", "second")]
    for folder in folders[2:]:
        folder.mkdir()
    folders[1].write_text("a file where a folder should be")
    (folders[3] / "folder").mkdir()
    programs = ((3, "text", 0o600, 0), (3, "good", 0o700, 3), (4, "good", 0o700, 4), (4, "text", 0o700, 5))
    for place, name, mode, status in (*programs, (4, "folder", 0o700, 6)):
        program = folders[place] / name
        program.write_text(f"#!/bin/sh\nexit {status}\n")
        program.chmod(mode)
    (folders[4] / "slow").write_text("#!/bin/sh\nread x < fifo\n")
    (folders[4] / "slow").chmod(0o700)
    work = tmp_path / "work"
    work.mkdir()
    os.mkfifo(tmp_path / "fifo")
    (work / "here").write_text("#!/bin/sh\nexit 7\n")
    (work / "here").chmod(0o700)
    node = shutil.which("node")
    assert node is not None
    (tmp_path / "program.cjs").write_text(NODE_STARTS)
    command = [node, "--pending-deprecation", "program.cjs", str(work), f"bin:{folders[4]}"]
    environment = {"PATH": ":".join(map(str, folders))}
    bare = subprocess.run(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout
    saved = tmp_path / "saved"
    with (tmp_path / "out").open("wb") as output:
        trace(command, strace=narrow, cwd=tmp_path, environment=environment, output_to=output.fileno(), save=saved)
    assert (tmp_path / "out").read_text() == bare
    tried = [line for line in saved.read_text().splitlines() if 'execve("' in line and "/good" in line]
    assert len(tried) == 5, "four starts, one of them with a relative folder before the one that has it"


@pytest.mark.needs("node")
def test_event_loop_that_waits_for_ever_makes_no_stops(narrow: Strace, tmp_path: Path) -> None:
    program = "const { spawn } = require('child_process');\n"
    program += "spawn('true').on('exit', () => setTimeout(() => {}, 40));\n"
    (tmp_path / "program.cjs").write_text(program)
    saved = tmp_path / "saved"
    assert trace(["node", str(tmp_path / "program.cjs")], strace=narrow, hooks=False, save=saved).exit_code == 0
    waits = [line for line in saved.read_text().splitlines() if "epoll_pwait" in line]
    timeouts = {int(line.split("1024, ")[1].split(",")[0]) for line in waits if "1024, " in line}
    assert timeouts
    assert timeouts.isdisjoint({0, -1})


def test_command_is_started_as_without_the_filters(narrow: Strace, tmp_path: Path) -> None:
    # No locale: a Python between strace and the command would add LC_CTYPE to the environment.
    environment = {"PATH": os.environ["PATH"], "EMPTY": ""}
    wide = printed(replace(narrow, narrows=False), tmp_path / "wide", environment)
    assert printed(narrow, tmp_path / "narrow", environment) == wide
    assert "LC_CTYPE" not in wide
    assert wide.endswith("name two words -- \n")
    # Whoever started the tests may ignore signals, as nohup does; the keeper takes that back for some.
    defaults = ",".join(one.name.removeprefix("SIG") for one in DEFAULT_SIGNALS)
    plain = ["env", f"--default-signal={defaults}", "sh", "-c", STARTED, "name"]
    bare = subprocess.run(plain, env=environment, capture_output=True, text=True, check=True)
    assert [line for line in wide.splitlines() if line.startswith("Sig")] == bare.stdout.splitlines()[:3]


@pytest.mark.parametrize("more", [0, 40], ids=["short", "long"])
def test_filters_of_the_command_itself_are_taken_on(more: int, narrow: Strace) -> None:
    # 110 is getppid on x86-64, the only machine that the filters know.
    result = trace([sys.executable, "-c", FILTERED.format(number=110, more=more)], strace=narrow)
    assert result.exit_code == 0


@pytest.mark.parametrize("narrows", [True, False])
def test_program_that_cannot_be_executed_is_said(narrows: bool, narrow: Strace, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("#!/no/such/interpreter\n")
    script.chmod(0o755)
    with pytest.raises(CommandError, match="cannot run"):
        trace([str(script)], strace=replace(narrow, narrows=narrows))


def test_strace_that_is_a_script_keeps_its_own_filter(tmp_path: Path, strace: Strace) -> None:
    script = tmp_path / "strace"
    script.write_text(f'#!/bin/sh\nexec {strace.path} "$@"\n')
    script.chmod(0o755)
    assert not stops.can_narrow(str(script))
    assert trace(["true"], strace=replace(strace, path=str(script), narrows=False)).exit_code == 0


@pytest.mark.parametrize(
    ("name", "answer"), [("machine", "aarch64"), ("release", "5.4.0-150-generic"), ("release", "4.18.0")]
)
def test_other_machines_and_older_kernels_keep_straces_filter(
    name: str, answer: str, monkeypatch: pytest.MonkeyPatch, strace: Strace
) -> None:
    monkeypatch.setattr(platform, name, lambda: answer)
    assert not stops.can_narrow(strace.path)
