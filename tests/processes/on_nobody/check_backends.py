"""Run by pytest as a user without privileges (test_without_root.py starts it): what works, and what says why not."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from judge import check_members, end
from trees import TREES, Observer

from flakehunter.groupkill import choose, probe_all
from flakehunter.groupkill.linux.cgroup_mounts import find_freezer, find_unified

WHOLE = ["subreaper", "cookie", "pid-namespace"]
PARTIAL = ["process-group", "session", "process-tree"]
DELEGATED = ["cgroup", "cgroup-v1"]
FEW = ["fifty", "setsid", "daemon", "ignores-term", "fork-storm", "stopped", "leader-gone"]


@pytest.fixture
def observer(tmp_path: Path) -> Iterator[Observer]:
    """Give an observer for one tree, and end what is left of the tree."""
    observer = Observer(tmp_path)
    yield observer
    observer.end_all()


def test_we_are_nobody() -> None:
    assert 0 not in (os.getuid(), os.geteuid())
    assert "CapEff:\t0000000000000000" in Path("/proc/self/status").read_text()


@pytest.mark.parametrize("name", FEW)
@pytest.mark.parametrize("backend", WHOLE)
def test_nothing_is_left(backend: str, name: str, observer: Observer) -> None:
    report = end(backend, TREES[name], observer, signal.SIGKILL)
    assert report.clean, report
    assert report.errors == ()
    check_members(report)


@pytest.mark.parametrize("name", ["fifty", "setsid", "stopped"])
@pytest.mark.parametrize("backend", PARTIAL)
def test_who_is_left_is_named(backend: str, name: str, observer: Observer) -> None:
    report = end(backend, TREES[name], observer, signal.SIGKILL)
    check_members(report)
    if backend != "process-tree":
        assert report.clean == (name != "setsid")


@pytest.mark.parametrize("backend", DELEGATED)
def test_no_cgroup_without_delegation(backend: str) -> None:
    capability = probe_all()[backend]
    assert not capability.usable
    if (find_unified if backend == "cgroup" else find_freezer)() is None:
        assert capability.reason.startswith("no cgroup v")
        return
    assert capability.reason.startswith("EACCES: ")
    assert "delegated" in capability.reason


def test_auto_takes_the_subreaper() -> None:
    assert choose().name == "subreaper"


@pytest.mark.parametrize("name", FEW)
@pytest.mark.parametrize("backend", DELEGATED)
def test_delegated_nothing_is_left(backend: str, name: str, observer: Observer) -> None:
    capability = probe_all()[backend]
    assert capability.usable, capability.reason
    report = end(backend, TREES[name], observer, signal.SIGKILL)
    assert report.clean, report
    assert report.errors == ()
    check_members(report)
