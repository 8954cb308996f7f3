"""What the system refuses stands in the report: EPERM, ESRCH, EBUSY, and deadlines that pass."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

if sys.platform != "linux":
    pytest.skip("Linux", allow_module_level=True)

from nobody import NOBODY, need_root

from flakehunter.groupkill.linux.cgroup_mounts import find_unified
from flakehunter.groupkill.linux.cgroup_reach import PREFIX, make_group, remove_leftovers, remove_tree
from flakehunter.groupkill.linux.procfs import read_stat
from flakehunter.groupkill.linux.track import Tracker
from flakehunter.repro.linux import quota

# The group is started by root, and ended by a process that has given its privilege up and may take it back.
REFUSED = f"""
import json, os, subprocess
from flakehunter.groupkill import spawn
with spawn(["bash", "-c", "sleep 4567 & echo up; wait"], backend="process-group", stdout=subprocess.PIPE) as group:
    group.stdout.readline()
    while sorted((m.argv[0], m.state) for m in group.members()) != [("bash", "S"), ("sleep", "S")]: pass
    os.setresuid({NOBODY}, {NOBODY}, 0)
    report = group.terminate(9, deadline_s=0.2)
    os.setresuid(0, 0, 0)
    print(json.dumps(report.as_dict()))
"""


def test_a_refused_signal_and_a_passed_deadline_are_in_the_report() -> None:
    need_root()
    done = subprocess.run([sys.executable, "-c", REFUSED], capture_output=True, text=True, check=True)
    report = json.loads(done.stdout)
    assert report["clean"] is False
    assert report["timed_out"] is True
    assert len(report["survivors"]) == 2
    assert {member["error"] for member in report["members"]} == {"EPERM"}
    assert {member["why"] for member in report["members"]} == {"could not be signalled: EPERM; sleeping"}
    assert any(error.endswith(": EPERM") and error.startswith("killpg(") for error in report["errors"])
    assert any(error.startswith("deadline passed after ") for error in report["errors"])


def test_who_was_just_gone_is_noted_and_no_error() -> None:
    with Tracker() as tracker, subprocess.Popen(["sleep", "4567"], process_group=0) as child:
        assert tracker.take(child.pid, lambda stat: stat.pgid == child.pid)
        child.kill()
        child.wait()
        assert not tracker.signal_group(child.pid, signal.SIGTERM)
        assert tracker.notes == [f"killpg({child.pid}, SIGTERM): ESRCH: nobody was in it any more"]
        (member,) = tracker.living()
        member.last = member.last._replace(pgid=0)  # as one that had left the group
        tracker.signal_one(member, signal.SIGTERM)
        assert tracker.errors == []
        (described,) = tracker.describe()
        assert (described.signals, described.error, described.state) == ((), "ESRCH", "")


def test_a_cgroup_that_is_in_use_is_reported_and_removed_later() -> None:
    parent = find_unified()
    if parent is None or not os.access(parent, os.W_OK):
        pytest.skip("no cgroup v2 that can be written")
    folder = make_group(parent, "busy")
    with subprocess.Popen(["sleep", "4567"]) as member:
        (folder / "cgroup.procs").write_text(str(member.pid))
        assert remove_tree(folder, time.monotonic()) == [f"rmdir {folder}: EBUSY: still in use"]
        member.kill()
    assert remove_tree(folder, time.monotonic() + 10) == []


def test_leftovers_of_an_owner_that_nobody_has_reaped_are_removed() -> None:
    parent = find_unified()
    if parent is None or not os.access(parent, os.W_OK):
        pytest.skip("no cgroup v2 that can be written")
    with subprocess.Popen(["sleep", "4567"]) as owner, subprocess.Popen(["sleep", "4568"]) as member:
        stat = read_stat(owner.pid)
        assert stat is not None
        folder = parent / f"{PREFIX}{owner.pid}-{stat.start_ticks}-left"
        folder.mkdir()
        (folder / "cgroup.procs").write_text(str(member.pid))
        owner.kill()
        os.waitid(os.P_PID, owner.pid, os.WEXITED | os.WNOWAIT)
        remove_leftovers(parent)
        # Another test that makes a group at this moment may be the one that ends and removes them.
        assert member.wait(90) == -signal.SIGKILL
    assert not folder.exists() or remove_tree(folder, time.monotonic() + 30) == []


def test_a_cgroup_with_members_is_not_asked_to_share_out_the_cpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The files as the kernel shows them: on many machines that run these tests version 1 has the controller.
    shown = {"controllers": "cpu memory\n", "procs": "4711\n", "type": "domain\n", "subtree_control": ""}
    for name, text in shown.items():
        (tmp_path / f"cgroup.{name}").write_text(text)
    monkeypatch.setattr(quota, "quota_parents", lambda: [(tmp_path, 2)])
    with pytest.raises(OSError, match="processes are in it"):
        quota.make_quota(20.0)
    assert (tmp_path / "cgroup.subtree_control").read_text() == ""
