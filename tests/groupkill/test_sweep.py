"""The sweep of a subreaper: real trees, judged by this process and not by the sweep's own report."""

import json
import subprocess
import sys

import pytest

from flakehunter.groupkill.linux.procfs import ProcessId, is_gone
from flakehunter.groupkill.linux.sweep import is_subreaper, sweep

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="subreapers are Linux's")

SUPERVISOR = """
import json, os, signal, subprocess, sys
from flakehunter.groupkill.linux.sweep import become_subreaper, sweep
become_subreaper()
child = subprocess.Popen(sys.argv[2:], stdout=subprocess.PIPE, start_new_session=True)
child.stdout.readline()
report = sweep(groups=[child.pid], signal_number=int(sys.argv[1]), deadline_s=10)
print(json.dumps([report.clean, list(report.errors), [m._asdict() for m in report.members]]))
"""
STOPPED = (  # the leader waits on: if it died first, the kernel itself would continue the group that it orphans
    "trap : TERM; sleep 60 & until [ $(cat /proc/$!/comm) = sleep ]; do :; done; kill -STOP $!; "
    "until read -r _ _ state _ < /proc/$!/stat; [ $state = T ]; do :; done; echo up; while kill -0 $!; do wait; done"
)
TREES = {
    "leader-and-child": ("sleep 60 & echo up; wait", 2),
    "fifty": ("for i in $(seq 50); do sleep 60 & done; echo up; wait", 51),
    "setsid": ("setsid sleep 60 & while ! pgrep -s $! >/dev/null; do :; done; echo up; wait", 2),
    "orphan": ("(setsid sleep 60 & echo up) & wait; sleep 60", 2),
    "ignores-term": ("trap '' TERM; sleep 60 & echo up; while :; do wait; done", 2),
    "stopped": (STOPPED, 2),
}


def run_supervisor(tree: str, number: int = 9) -> tuple[bool, list[str], list[dict[str, object]]]:
    """Run `tree` under a sweeping supervisor and return its report."""
    command = [sys.executable, "-c", SUPERVISOR, str(number), "bash", "-c", tree]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=250)
    clean, errors, members = json.loads(done.stdout)
    return clean, errors, members


@pytest.mark.parametrize("name", TREES)
def test_sweep_ends_and_reports_every_member(name: str) -> None:
    tree, at_least = TREES[name]
    clean, errors, members = run_supervisor(tree)
    assert clean
    assert errors == []
    assert len(members) >= at_least
    for member in members:
        assert is_gone(ProcessId(int(str(member["pid"])), int(str(member["start_ticks"]))), zombies_ok=False)
        assert member["state"] == ""
        assert member["error"] in ("", "ESRCH")  # the blow to the group may have ended it before its own signal came
        assert isinstance(member["exit_ms"], float)
        assert isinstance(member["reap_ms"], float)
    statuses = [member["status"] for member in members if member["status"] is not None]
    assert -9 in statuses


def test_sweep_with_sigterm_wakes_stopped_members() -> None:
    clean, _, members = run_supervisor(TREES["stopped"][0], number=15)
    assert clean
    stopped = next(member for member in members if member["argv"] == ["sleep", "60"])
    assert [name for name, _ in stopped["signals"]] == ["SIGTERM", "SIGCONT"]  # type: ignore[attr-defined]


def test_sweep_outside_a_subreaper_refuses() -> None:
    assert not is_subreaper()
    with pytest.raises(RuntimeError, match="become_subreaper"):
        sweep()


def test_modules_for_supervisors_import_no_heavy_module() -> None:
    code = "import flakehunter.groupkill.linux.sweep, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-I", "-c", code], stdout=subprocess.PIPE, text=True, check=True)
    heavy = {"dataclasses", "inspect", "subprocess", "asyncio", "typer", "psutil", "json", "logging"}
    assert heavy.isdisjoint(done.stdout.split())
