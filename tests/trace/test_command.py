"""Where strace is missing or may not trace: one clear line, and what to do."""

import subprocess
import sys
from pathlib import Path

import pytest

from flakehunter import ptrace_scope
from flakehunter.cli.app import main
from flakehunter.trace.command import TraceUnavailableError, find_strace, hook_environment, strace_argv


def fake_strace(folder: Path, body: str) -> None:
    program = folder / "strace"
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(0o755)


def test_missing_strace_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["trace", "--", sys.executable, "-c", ""]) == 2
    error = capsys.readouterr().err
    assert "strace is not installed" in error
    assert "hint: apt install strace" in error


@pytest.mark.parametrize(
    ("scope", "hint"), [(None, "--cap-add SYS_PTRACE"), ("2", "as root, sysctl"), ("3", "boot with")]
)
def test_forbidden_ptrace_says_what_to_allow(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    scope: str | None,
    hint: str,
) -> None:
    fake_strace(
        tmp_path,
        'if [ "$1" = -V ]; then echo "strace -- version 6.1"; exit 0; fi\n'
        'echo "strace: test_ptrace_get_syscall_info: PTRACE_TRACEME: Operation not permitted" >&2; exit 1',
    )
    if scope is not None:
        (tmp_path / "scope").write_text(scope + "\n")
    monkeypatch.setattr(ptrace_scope, "YAMA", tmp_path / "scope")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert main(["trace", "--", "true"]) == 2
    error = capsys.readouterr().err
    assert "strace may not trace here" in error
    assert "Operation not permitted" in error
    assert hint in error


@pytest.mark.usefixtures("strace")
def test_ptrace_that_the_kernel_really_forbids_is_one_line_and_a_hint(tmp_path: Path) -> None:
    forbid = Path(__file__).resolve().parents[1] / "processes" / "forbid_ptrace.py"
    trace = [sys.executable, "-m", "flakehunter", "trace", "--json", "--", "touch", str(tmp_path / "ran")]
    done = subprocess.run([sys.executable, forbid, *trace], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    error, hint = done.stderr.splitlines()
    assert error.startswith("flakehunter: error: strace may not trace here: ")
    assert "Operation not permitted" in error
    assert "--cap-add SYS_PTRACE" in hint
    assert not (tmp_path / "ran").exists()


def test_other_systems_say_that_it_is_for_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(TraceUnavailableError, match="for Linux only, and this is darwin") as caught:
        find_strace()
    assert caught.value.exit_code == 2


def test_old_strace_gets_no_filter_in_the_kernel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake_strace(tmp_path, 'if [ "$1" = -V ]; then echo "strace -- version 4.26"; fi')
    monkeypatch.setenv("PATH", str(tmp_path))
    old = find_strace()
    assert (old.version, old.seccomp) == ((4, 26), False)
    argv = strace_argv(old, Path("out"), ["true"])
    assert "--seccomp-bpf" not in argv
    assert argv[-2:] == ["--", "true"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["trace"], "there is nothing to trace"),
        (["trace", "--"], "there is nothing to trace"),
        (["trace", "test_x", "--", "true"], "give a test or a command, and not both"),
        (["trace", "--", "no-such-program"], "cannot run no-such-program"),
        (["trace", "--timeout", "soon", "--", "true"], "soon"),
    ],
    ids=["nothing", "empty command", "both", "no program", "no duration"],
)
def test_wrong_input_is_one_line_and_a_hint(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str], strace: object
) -> None:
    assert main(words) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert message in captured.err
    assert "hint: " in captured.err


def test_hooks_come_before_what_the_environment_has() -> None:
    changed = hook_environment({"PYTHONPATH": "/mine", "NODE_OPTIONS": "--no-warnings"})
    python, pytest_plugin, mine = changed["PYTHONPATH"].split(":")
    assert (mine, Path(python, "sitecustomize.py").is_file()) == ("/mine", True)
    assert Path(pytest_plugin, "flakehunter_trace_marks.py").is_file()
    assert changed["NODE_OPTIONS"].endswith(" --no-warnings")
