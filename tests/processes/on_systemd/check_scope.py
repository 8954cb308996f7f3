"""Run by pytest below a real systemd (test_systemd.py boots it): the backend `systemd-scope` against every tree."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from judge import check_members, end
from trees import TREES, Observer

from flakehunter.groupkill import StartError, choose, probe_all, spawn
from flakehunter.groupkill.linux.cgroup_mounts import find_root

SCOPE = "systemd-scope"


@pytest.fixture
def observer(tmp_path: Path) -> Iterator[Observer]:
    """Give an observer for one tree, and end what is left of the tree."""
    observer = Observer(tmp_path)
    yield observer
    observer.end_all()


def scopes() -> list[Path]:
    """Return the cgroups of the transient scopes that exist."""
    root = find_root()
    assert root is not None
    # os.walk and not rglob: systemd removes them meanwhile.
    found = (Path(folder) for folder, _, _ in os.walk(root))
    return [folder for folder in found if folder.name.startswith("run-") and folder.suffix == ".scope"]


def test_the_probe_says_yes() -> None:
    assert probe_all()[SCOPE].usable, probe_all()[SCOPE].reason


@pytest.mark.parametrize("name", TREES)
def test_every_tree_ends(name: str, observer: Observer) -> None:
    report = end(SCOPE, TREES[name], observer, signal.SIGKILL)
    assert report.clean, report
    assert report.errors == ()
    assert len(report.members) >= TREES[name].members
    check_members(report)


def test_who_ignores_sigterm_is_killed_through_the_cgroup(observer: Observer) -> None:
    report = end(SCOPE, TREES["ignores-term"], observer, signal.SIGTERM, grace_s=0.1)
    assert report.clean
    assert [step.how for step in report.escalations] == ["cgroup.kill"]


def test_the_command_is_in_a_scope_and_the_scope_goes_with_it() -> None:
    with spawn(["cat", "/proc/self/cgroup"], backend=SCOPE, stdout=subprocess.PIPE, text=True) as group:
        output, _ = group.communicate(timeout_s=30)
        assert group.argv == ("cat", "/proc/self/cgroup")
        assert ".scope" in output
        assert group.terminate().clean
    assert scopes() == []


def test_what_cannot_be_started_says_why_and_leaves_no_scope() -> None:
    with pytest.raises(StartError, match="No such file"):
        spawn(["no-such-program"], backend=SCOPE)
    while scopes():  # systemd removes it when it has heard; the time limit of the test is the deadline
        pass


def test_auto_prefers_the_plain_cgroup_here() -> None:
    # As root, and also as a user below systemd --user, whose part of the hierarchy is delegated.
    assert choose().name == "cgroup"
    with spawn(["bash", "-c", "setsid sleep 4567 & echo up; wait"], stdout=subprocess.PIPE) as group:
        assert group.stdout is not None
        group.stdout.readline()
        report = group.terminate(signal.SIGKILL)
    assert report.clean
    assert len(report.members) == 2
